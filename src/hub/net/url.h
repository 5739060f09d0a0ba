// Addresses. There is one parser, libcurl's, so that what is checked is what is connected to (two parsers that disagree
// were CVE-2026-45400).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace minke::hub {

struct Url {
  std::string text;    // normalised, what is given to curl
  std::string scheme;  // "http" or "https"
  std::string host;    // lower case; an IPv6 address keeps its brackets
  uint16_t port = 0;
  std::string path;  // without the query, which may hold a signature

  bool same_origin(const Url& other) const { return scheme == other.scheme && host == other.host && port == other.port; }
  std::string origin() const { return fmt::format("{}://{}:{}", scheme, host, port); }
};

// http and https only, no user name or password in the address.
Result<Url> parse_url(std::string_view text);

// What `location` means when it is found at `base`.
Result<Url> resolve_url(const Url& base, std::string_view location);

// resolve_url() for a redirect, which may not lead from https to http.
Result<Url> resolve_redirect(const Url& from, std::string_view location);

// Percent-encodes all but unreserved characters (RFC 3986, 2.3); '/' is kept when keep_slash.
enum class Slash { kKeep, kEncode };
std::string percent_encode(std::string_view text, Slash slash);

}  // namespace minke::hub
