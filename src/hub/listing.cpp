#include "hub/listing.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "base/json.h"
#include "hub/names.h"

namespace minke::hub {
namespace {

// A hostile or broken server must not fill the memory. The largest repositories have some thousands of files.
constexpr size_t kMaxPageBytes = size_t{32} << 20;
constexpr size_t kMaxFiles = 200'000;
constexpr size_t kMaxPages = 1000;
constexpr size_t kMaxJsonDepth = 32;

struct Page {
  Json json;
  std::string next;
};

Attempt<Page> get_page_once(Transport& transport, const Url& url, const std::string& purpose, double timeout_s) {
  std::string body;
  Fetch fetch;
  fetch.url = url;
  fetch.purpose = purpose;
  fetch.total_timeout_s = timeout_s;
  fetch.on_body = [&](std::span<const std::byte> bytes) -> Attempt<void> {
    if (body.size() + bytes.size() > kMaxPageBytes) {
      return failure(Failure::Kind::kFatal, "{}: {}: the answer is longer than {} bytes", url.host, purpose, kMaxPageBytes);
    }
    body.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  };
  auto reply = transport.get(fetch);
  if (!reply) return tl::unexpected<Failure>(reply.error());
  auto json = parse_json(body, url.host + printable(url.path), {.max_depth = kMaxJsonDepth});
  if (!json) return fatal(json.error());
  return Page{std::move(*json), next_link(reply->header("link"))};
}

Result<Page> get_page(Transport& transport, const Url& url, const std::string& purpose, Retry& retry) {
  for (;;) {
    auto page = get_page_once(transport, url, purpose, transport.options().timeouts.listing_s);
    if (page) {
      retry.reset();
      return std::move(*page);
    }
    if (page.error().kind != Failure::Kind::kTransient) return error("{}", page.error().message);
    TRY(retry.wait(page.error()));
  }
}

const Json* member(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

std::string text_of(const Json& object, const char* key) {
  const Json* value = member(object, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : "";
}

Result<uint64_t> size_of(const Json& object, const std::string& path) {
  const Json* value = member(object, "size");
  // Sizes are added up and given to the file system as signed numbers.
  constexpr uint64_t kMaxSize = std::numeric_limits<int64_t>::max() / 2;
  if (value == nullptr || !value->is_number_unsigned() || value->get<uint64_t>() > kMaxSize) {
    return error("{}: size: expected a byte count", printable(path));
  }
  return value->get<uint64_t>();
}

Result<RemoteFile> read_file_row(const Json& row) {
  RemoteFile file;
  file.path = text_of(row, "path");
  TRY(check_file_path(file.path));
  const Json* lfs = member(row, "lfs");
  bool is_lfs = lfs != nullptr && !lfs->is_null();
  file.size = TRY(size_of(is_lfs ? *lfs : row, file.path));
  file.hash = text_of(is_lfs ? *lfs : row, "oid");
  size_t n_digits = is_lfs ? 64 : 40;
  if (!is_blob_name(file.hash) || file.hash.size() != n_digits) {
    return error("{}: oid: expected {} hex digits, got \"{}\"", printable(file.path), n_digits, printable(file.hash, 80));
  }
  return file;
}

}  // namespace

std::string next_link(std::string_view header) {
  for (size_t open = header.find('<'); open != header.npos; open = header.find('<', open + 1)) {
    size_t close = header.find('>', open);
    if (close == header.npos) return "";
    size_t end = std::min(header.find(",", close), header.size());
    std::string parameters = ascii_lower(header.substr(close + 1, end - close - 1));
    if (parameters.find("rel=\"next\"") != parameters.npos || parameters.find("rel=next") != parameters.npos) {
      return std::string(header.substr(open + 1, close - open - 1));
    }
  }
  return "";
}

Result<std::string> resolve_commit(Transport& transport, const std::string& repo, const std::string& revision, Retry& retry) {
  if (is_commit(revision)) return revision;
  std::string path = fmt::format("/api/models/{}/revision/{}", repo, percent_encode(revision, Slash::kEncode));
  Url url = TRY(transport.endpoint_url(path));
  Page page = TRY_IN(repo, get_page(transport, url, fmt::format("find revision {} of {}", revision, repo), retry));
  std::string commit = text_of(page.json, "sha");
  if (!is_commit(commit))
    return error("{}: {}: sha: expected 40 hex digits, got \"{}\"", repo, url.host, printable(commit, 80));
  return commit;
}

Result<std::vector<RemoteFile>> list_files(Transport& transport, const std::string& repo, const std::string& commit,
                                           Retry& retry) {
  Url url = TRY(transport.endpoint_url(fmt::format("/api/models/{}/tree/{}?recursive=true", repo, commit)));
  std::vector<RemoteFile> files;
  std::set<std::string> seen_pages = {url.text};
  std::set<std::string> seen_paths;
  for (;;) {
    Page page = TRY_IN(repo, get_page(transport, url, "list files of " + repo, retry));
    if (!page.json.is_array()) return error("{}: {}: file list: expected an array", repo, url.host);
    for (const Json& row : page.json) {
      if (text_of(row, "type") == "directory") continue;
      RemoteFile file = TRY_IN(repo + ": file list", read_file_row(row));
      if (!seen_paths.insert(file.path).second)
        return error("{}: file list: \"{}\" is there twice", repo, printable(file.path));
      files.push_back(std::move(file));
      if (files.size() > kMaxFiles) return error("{}: file list: more than {} files", repo, kMaxFiles);
    }
    if (page.next.empty()) return files;
    url = TRY_IN(repo + ": file list: next page", resolve_url(url, page.next));
    if (!url.same_origin(transport.endpoint()))
      return error("{}: file list: next page is at {}, another origin: refused", repo, url.host);
    if (!seen_pages.insert(url.text).second) return error("{}: file list: its pages go round in a circle", repo);
    if (seen_pages.size() > kMaxPages) return error("{}: file list: more than {} pages", repo, kMaxPages);
  }
}

}  // namespace minke::hub
