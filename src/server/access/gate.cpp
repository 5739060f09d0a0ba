#include "server/access/gate.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>

#include <algorithm>

#include "base/digest.h"

namespace minke::server {
namespace {

constexpr size_t kLeastKeyBytes = 16;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

// "[::1]:8080" -> "[::1]", "localhost:8080" -> "localhost"
std::string without_port(std::string_view host) {
  const size_t bracket = host.find(']');
  const size_t colon = host.find(':', bracket == host.npos ? 0 : bracket);
  return lower(host.substr(0, colon));
}

std::string digest_of(std::string_view secret) {
  Digest digest = Digest::sha256();
  digest.update(secret);
  return digest.finish_hex();
}

tl::unexpected<ApiError> forbidden(std::string message, std::string code) {
  return tl::unexpected(ApiError{ErrorKind::kForbidden, std::move(message), {}, std::move(code)});
}

bool changes_state(const HttpRequest& request) {
  return request.method != "GET" && request.method != "HEAD" && request.method != "OPTIONS";
}

}  // namespace

bool is_loopback_address(const std::string& address) {
  in_addr v4{};
  if (inet_pton(AF_INET, address.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, address.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

Result<std::unique_ptr<Gate>> Gate::create(GateOptions options) {
  if (options.keys.empty() && !is_loopback_address(options.address))
    return error("{}: others can reach this address, so an API key is needed: give one, or listen on 127.0.0.1",
                 options.address);
  for (size_t i = 0; i < options.keys.size(); ++i) {
    const ApiKey& key = options.keys[i];
    if (key.secret.size() < kLeastKeyBytes)
      return error("API key \"{}\": expected at least {} characters, got {}", key.name, kLeastKeyBytes, key.secret.size());
    for (size_t j = 0; j < i; ++j) {
      if (options.keys[j].secret == key.secret)
        return error("API keys \"{}\" and \"{}\" are the same", options.keys[j].name, key.name);
    }
  }
  return std::unique_ptr<Gate>(new Gate(std::move(options)));
}

Gate::Gate(GateOptions options)
    : options_(std::move(options)),
      is_loopback_(is_loopback_address(options_.address)),
      rate_(options_.requests_per_minute, options_.burst) {
  for (ApiKey& key : options_.keys) {
    keys_.push_back({key.name, digest_of(key.secret)});
    OPENSSL_cleanse(key.secret.data(), key.secret.size());
  }
  options_.keys.clear();
  for (std::string& host : options_.allowed_hosts) host = lower(host);
  for (std::string& origin : options_.allowed_origins) origin = lower(origin);
}

const Gate::Key* Gate::find_key(std::string_view secret) const {
  const std::string digest = digest_of(secret);
  const Key* found = nullptr;
  // All of them, whichever is right.
  for (const Key& key : keys_) {
    if (CRYPTO_memcmp(key.digest.data(), digest.data(), digest.size()) == 0) found = &key;
  }
  return found;
}

Outcome<void> Gate::check_host(const HttpRequest& request) const {
  if (request.n_headers("host") != 1) return tl::unexpected(invalid("", "expected one Host header"));
  // With keys on an open address any name may lead here, and a page that knows no key can do nothing.
  if (!is_loopback_ && options_.allowed_hosts.empty()) return {};
  const std::string host = without_port(request.header("host"));
  const auto& allowed = options_.allowed_hosts;
  if (std::find(allowed.begin(), allowed.end(), host) != allowed.end()) return {};
  if (is_loopback_ && (host == "localhost" || host == "[::1]" || is_loopback_address(host))) return {};
  return forbidden("the Host header names another machine", "host_not_allowed");
}

std::string Gate::allowed_origin(const HttpRequest& request) const {
  const std::string origin = lower(request.header("origin"));
  const auto& allowed = options_.allowed_origins;
  return origin.empty() || std::find(allowed.begin(), allowed.end(), origin) == allowed.end() ? "" : origin;
}

Outcome<void> Gate::check_origin(const HttpRequest& request) const {
  if (!allowed_origin(request).empty()) return {};
  const std::string origin = lower(request.header("origin"));
  const std::string own = (request.is_encrypted ? "https://" : "http://") + lower(request.header("host"));
  if (!origin.empty() && origin != own) return forbidden("scripts of this origin are not allowed", "origin_not_allowed");
  // Browsers say where a request comes from even when they send no Origin: an image on somebody's page asks like this.
  if (origin.empty() && request.header("sec-fetch-site") == "cross-site" && request.header("sec-fetch-mode") != "navigate")
    return forbidden("requests from other sites are not allowed", "origin_not_allowed");
  return {};
}

Outcome<void> Gate::check_key(HttpRequest& request) const {
  if (keys_.empty()) return {};  // a key that nobody asked for is ignored: clients must send one
  const Key* found = nullptr;
  bool is_wrong = false;
  for (const auto& [name, value] : request.headers) {
    std::string_view secret;
    if (name == "authorization") {
      constexpr std::string_view kScheme = "bearer ";
      const bool is_bearer = lower(std::string_view(value).substr(0, kScheme.size())) == kScheme;
      secret = is_bearer ? std::string_view(value).substr(kScheme.size()) : std::string_view{};
    } else if (name == "x-api-key" || name == "api-key") {
      secret = value;
    } else {
      continue;
    }
    const Key* key = find_key(secret);
    is_wrong = is_wrong || key == nullptr || (found != nullptr && key != found);
    found = key;
  }
  if (found == nullptr || is_wrong)
    return tl::unexpected(
        ApiError{ErrorKind::kUnauthorized, "a valid API key is needed: Authorization: Bearer KEY, or x-api-key: KEY"});
  request.caller = found->name;
  return {};
}

Outcome<void> Gate::check(HttpRequest& request, bool needs_key, bool is_limited) {
  if (auto ok = check_host(request); !ok) return ok;
  if (auto ok = check_origin(request); !ok) return ok;
  if (needs_key) {
    if (auto ok = check_key(request); !ok) return ok;
  }
  if (request.path.starts_with("/api/minke/") && changes_state(request) && request.header("x-minke") != "1")
    return forbidden("the header X-Minke: 1 is missing", "csrf");
  if (!is_limited) return {};
  return rate_.take(request.caller.empty() ? request.peer : request.caller, std::chrono::steady_clock::now());
}

}  // namespace minke::server
