#include "hub/options.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "hub/names.h"
#include "hub/net/url.h"

namespace minke::hub {
namespace {

constexpr size_t kMaxTokenBytes = 4096;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string first_variable(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    std::string value = variable(name);
    if (!value.empty()) return value;
  }
  return "";
}

bool is_true(const std::string& value) {
  std::string lower = ascii_lower(value);
  return lower == "1" || lower == "true" || lower == "yes" || lower == "on";
}

Result<std::string> home() {
  std::string home = variable("HOME");
  if (home.empty()) return error("HOME is not set, so there is no place for models: set HOME, HF_HOME or HF_HUB_CACHE");
  return home;
}

Result<std::string> expand_home(std::string path) {
  if (path == "~" || path.starts_with("~/")) return TRY(home()) + path.substr(1);
  return path;
}

Result<std::string> hf_home() {
  std::string set = variable("HF_HOME");
  if (!set.empty()) return expand_home(std::move(set));
  std::string cache = variable("XDG_CACHE_HOME");
  if (cache.empty()) cache = TRY(home()) + "/.cache";
  return TRY(expand_home(std::move(cache))) + "/huggingface";
}

std::string trimmed(std::string text) {
  auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && is_space(text.back())) text.pop_back();
  text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), is_space));
  return text;
}

// A token becomes a header line: a byte that could end the line is an error, and the message does not show the token.
Status check_token(const std::string& token, const std::string& source) {
  auto is_visible = [](char c) { return c > 0x20 && c < 0x7f; };
  if (token.size() <= kMaxTokenBytes && std::all_of(token.begin(), token.end(), is_visible)) return {};
  return error("{}: not a token: expected one line of visible ASCII such as hf_...", source);
}

Result<std::string> read_token() {
  std::string token = trimmed(variable("HF_TOKEN"));
  std::string source = "HF_TOKEN";
  if (token.empty()) {
    std::string named = variable("HF_TOKEN_PATH");
    if (named.empty()) {
      auto directory = hf_home();
      if (!directory) return std::string();  // no home: no stored token either
      source = *directory + "/token";
    } else {
      source = TRY(expand_home(named));
    }
    std::error_code ignored;
    bool exists = std::filesystem::exists(source, ignored);
    if (!exists && named.empty()) return std::string();
    token = trimmed(TRY_IN(named.empty() ? "token file" : "HF_TOKEN_PATH", read_file(source, kMaxTokenBytes)));
  }
  TRY(check_token(token, source));
  return token;
}

Result<std::string> read_cache_dir() {
  std::string named = variable("HF_HUB_CACHE");
  if (!named.empty()) return expand_home(std::move(named));
  return TRY(hf_home()) + "/hub";
}

Result<std::string> read_outbound_log() {
  std::string state = variable("XDG_STATE_HOME");
  if (state.empty()) state = TRY(home()) + "/.local/state";
  return state + "/minke/outbound.jsonl";
}

}  // namespace

Result<HubOptions> from_environment() {
  HubOptions options;
  std::string endpoint = variable("HF_ENDPOINT");
  if (!endpoint.empty()) options.endpoint = endpoint;
  while (options.endpoint.ends_with('/')) options.endpoint.pop_back();
  TRY_IN("HF_ENDPOINT", parse_url(options.endpoint));
  options.token = TRY(read_token());
  options.cache_dir = TRY(read_cache_dir());
  options.offline = is_true(variable("HF_HUB_OFFLINE")) || is_true(variable("TRANSFORMERS_OFFLINE"));
  options.proxies.https = first_variable({"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"});
  options.proxies.http = first_variable({"http_proxy", "all_proxy", "ALL_PROXY"});
  options.proxies.none = first_variable({"no_proxy", "NO_PROXY"});
  options.ca_bundle = first_variable({"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"});
  options.outbound_log = TRY(read_outbound_log());
  return options;
}

}  // namespace minke::hub
