#include "hub/names.h"

#include <algorithm>
#include <map>
#include <vector>

#include "base/utf8.h"

namespace minke::hub {
namespace {

constexpr size_t kMaxRepoPart = 96;  // the hub's own limit
constexpr size_t kMaxPath = 1024;
constexpr size_t kMaxPathPart = 255 - 25;  // NAME_MAX less what temporary names and ".metadata" need

bool is_alphanumeric(char c) { return is_ascii_letter(c) || is_ascii_digit(c); }

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

bool is_repo_part(std::string_view part) {
  if (part.empty() || part.size() > kMaxRepoPart) return false;
  auto allowed = [](char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '-'; };
  if (!std::all_of(part.begin(), part.end(), allowed)) return false;
  auto edge = [](char c) { return is_alphanumeric(c) || c == '_'; };
  return edge(part.front()) && edge(part.back()) && part.find("--") == part.npos && part.find("..") == part.npos;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  size_t start = 0;
  for (size_t end = text.find(separator); end != text.npos; end = text.find(separator, start)) {
    parts.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  parts.push_back(text.substr(start));
  return parts;
}

}  // namespace

Status check_repo(std::string_view repo) {
  std::vector<std::string_view> parts = split(repo, '/');
  if (parts.size() == 2 && is_repo_part(parts[0]) && is_repo_part(parts[1])) return {};
  return error("\"{}\" is not a repository name: expected org/name of letters, digits, '.', '_', '-'", printable(repo));
}

Status check_revision(std::string_view revision) {
  auto refuse = [&] { return error("\"{}\" is not a revision: expected a branch, a tag or a commit", printable(revision)); };
  if (revision.empty() || revision.size() > 255) return refuse();
  for (std::string_view part : split(revision, '/')) {
    if (part.empty() || part.front() == '.' || part.front() == '-' || part.find("..") != part.npos) return refuse();
    for (char c : part) {
      if (!is_alphanumeric(c) && c != '.' && c != '_' && c != '-') return refuse();
    }
  }
  return {};
}

Status check_file_path(std::string_view path) {
  auto refuse = [&](std::string_view why) { return error("unsafe file name \"{}\": {}", printable(path), why); };
  if (path.empty()) return refuse("empty");
  if (path.size() > kMaxPath) return refuse("longer than 1024 bytes");
  if (path.front() == '/') return refuse("absolute");
  if (std::any_of(path.begin(), path.end(), is_control)) return refuse("contains a control character");
  if (path.find('\\') != path.npos) return refuse("contains a backslash");
  if (path.find(':') != path.npos) return refuse("contains a colon");
  if (!utf8_valid(path)) return refuse("not UTF-8");
  for (std::string_view part : split(path, '/')) {
    if (part.empty()) return refuse("has an empty part");
    if (part == "." || part == "..") return refuse("leaves its folder");
    if (part.size() > kMaxPathPart) return refuse("has a part that is too long");
  }
  return {};
}

Status check_no_collisions(std::span<const std::string> paths) {
  std::map<std::string, std::string_view> seen;
  for (const std::string& path : paths) {
    auto [other, is_new] = seen.emplace(ascii_lower(path), path);
    if (!is_new) return error("\"{}\" and \"{}\" differ only in case", printable(other->second), printable(path));
  }
  for (const std::string& path : paths) {
    std::string folded = ascii_lower(path);
    for (size_t slash = folded.find('/'); slash != folded.npos; slash = folded.find('/', slash + 1)) {
      auto other = seen.find(folded.substr(0, slash));
      if (other == seen.end()) continue;
      return error("\"{}\" is a file and \"{}\" needs it as a folder", printable(other->second), printable(path));
    }
  }
  return {};
}

bool is_commit(std::string_view text) { return text.size() == 40 && is_hex(text); }

bool is_blob_name(std::string_view text) { return (text.size() == 40 || text.size() == 64) && is_hex(text); }

std::string repo_folder(std::string_view repo) {
  size_t slash = repo.find('/');
  return fmt::format("models--{}--{}", repo.substr(0, slash), repo.substr(slash + 1));
}

std::optional<std::string> repo_of_folder(std::string_view folder) {
  constexpr std::string_view kPrefix = "models--";
  if (!folder.starts_with(kPrefix)) return std::nullopt;
  folder.remove_prefix(kPrefix.size());
  size_t separator = folder.find("--");
  if (separator == folder.npos) return std::nullopt;
  std::string repo = fmt::format("{}/{}", folder.substr(0, separator), folder.substr(separator + 2));
  if (!check_repo(repo)) return std::nullopt;
  return repo;
}

std::string printable(std::string_view text, size_t max_bytes) {
  std::string out = utf8_lossy(text.substr(0, max_bytes));
  std::replace_if(out.begin(), out.end(), is_control, '?');
  if (text.size() > max_bytes) out += "...";
  return out;
}

std::string ascii_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string ascii_upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

}  // namespace minke::hub
