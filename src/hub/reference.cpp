#include "hub/reference.h"

#include <algorithm>

#include "hub/names.h"

namespace minke::hub {
namespace {

constexpr std::string_view kExpected = "expected org/name, org/name:QUANT, org/name@revision or org/name/file.gguf";

// Takes a known host off the front; an unknown scheme or host is an error, because it would be silently ignored.
Result<std::string_view> without_host(std::string_view text) {
  bool has_scheme = false;
  for (std::string_view scheme : {"https://", "http://"}) {
    if (!text.starts_with(scheme)) continue;
    text.remove_prefix(scheme.size());
    has_scheme = true;
    break;
  }
  for (std::string_view host : {"huggingface.co/", "www.huggingface.co/", "hf.co/"}) {
    if (text.starts_with(host)) return text.substr(host.size());
  }
  if (!has_scheme) return text;
  return error("\"{}\" is not an address of huggingface.co; for a mirror set HF_ENDPOINT and give org/name", printable(text));
}

// "org/name/<rest>" -> rest; repo is cut to "org/name".
std::string_view cut_rest(std::string_view& repo) {
  size_t first = repo.find('/');
  if (first == repo.npos) return {};
  size_t second = repo.find('/', first + 1);
  if (second == repo.npos) return {};
  std::string_view rest = repo.substr(second + 1);
  repo = repo.substr(0, second);
  return rest;
}

// What follows org/name in a browser's address: "blob/main/dir/x", "resolve/main/x", "tree/main", or a plain file.
void read_rest(std::string_view rest, ModelReference& out) {
  rest = rest.substr(0, rest.find_first_of("?#"));
  for (std::string_view verb : {"blob/", "resolve/", "tree/"}) {
    if (!rest.starts_with(verb)) continue;
    rest.remove_prefix(verb.size());
    size_t slash = rest.find('/');
    out.revision = std::string(rest.substr(0, slash));
    if (slash != rest.npos && verb != "tree/") out.file = std::string(rest.substr(slash + 1));
    return;
  }
  out.file = std::string(rest);
}

bool is_quant_text(std::string_view text) {
  auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), allowed);
}

}  // namespace

Result<ModelReference> parse_reference(std::string_view text) {
  std::string shown = printable(text);
  std::string_view rest = TRY(without_host(text));
  ModelReference reference;
  size_t at = rest.find('@');
  if (at != rest.npos) {
    reference.revision = std::string(rest.substr(at + 1));
    rest = rest.substr(0, at);
    if (reference.revision.empty()) return error("\"{}\": nothing after '@'; {}", shown, kExpected);
  }
  size_t colon = rest.find(':');
  if (colon != rest.npos) {
    reference.quant = std::string(rest.substr(colon + 1));
    rest = rest.substr(0, colon);
    if (!is_quant_text(reference.quant)) return error("\"{}\": expected a quantisation such as Q4_K_M after ':'", shown);
    if (ascii_lower(reference.quant) == "latest") reference.quant.clear();  // the habit of another tool: no choice made
  }
  while (rest.ends_with('/')) rest.remove_suffix(1);
  std::string_view tail = cut_rest(rest);
  if (!tail.empty()) {
    std::string asked_revision = reference.revision;
    read_rest(tail, reference);
    if (!asked_revision.empty()) reference.revision = asked_revision;
  }
  reference.repo = std::string(rest);
  if (!check_repo(reference.repo)) return error("\"{}\" does not name a model; {}", shown, kExpected);
  if (!reference.file.empty()) TRY(check_file_path(reference.file));
  if (!reference.file.empty() && !reference.quant.empty())
    return error("\"{}\": give a file or a quantisation, not both", shown);
  if (!reference.revision.empty()) TRY(check_revision(reference.revision));
  return reference;
}

std::string to_text(const ModelReference& reference) {
  std::string text = reference.repo;
  if (!reference.file.empty()) text += "/" + reference.file;
  if (!reference.quant.empty()) text += ":" + reference.quant;
  if (!reference.revision.empty()) text += "@" + reference.revision;
  return text;
}

}  // namespace minke::hub
