#include "hub/net/url.h"

#include <curl/curl.h>

#include <cstdlib>
#include <memory>

#include "hub/names.h"

namespace minke::hub {
namespace {

struct FreeUrl {
  void operator()(CURLU* handle) const { curl_url_cleanup(handle); }
};
using UrlHandle = std::unique_ptr<CURLU, FreeUrl>;

std::string part(CURLU* handle, CURLUPart which, unsigned flags = 0) {
  char* value = nullptr;
  if (curl_url_get(handle, which, &value, flags) != CURLUE_OK) return "";
  std::string text = value;
  curl_free(value);
  return text;
}

// Addresses may hold signatures in their query; messages show them without it.
std::string shown(std::string_view text) { return printable(text.substr(0, text.find('?'))); }

Result<Url> take_parts(CURLU* handle, std::string_view text) {
  Url url;
  url.text = part(handle, CURLUPART_URL);
  url.scheme = ascii_lower(part(handle, CURLUPART_SCHEME));
  url.host = ascii_lower(part(handle, CURLUPART_HOST));
  url.port = static_cast<uint16_t>(std::atoi(part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT).c_str()));
  url.path = part(handle, CURLUPART_PATH);
  if (url.scheme != "http" && url.scheme != "https") return error("\"{}\": expected an http or https address", shown(text));
  if (url.host.empty() || url.port == 0) return error("\"{}\": the address has no host", shown(text));
  return url;
}

Result<Url> set_and_take(CURLU* handle, std::string_view text) {
  if (text.find('\0') != text.npos) return error("\"{}\": not an address: contains a NUL", shown(text));
  CURLUcode code =
      curl_url_set(handle, CURLUPART_URL, std::string(text).c_str(), CURLU_DISALLOW_USER | CURLU_NON_SUPPORT_SCHEME);
  if (code != CURLUE_OK) return error("\"{}\": not an http or https address: {}", shown(text), curl_url_strerror(code));
  return take_parts(handle, text);
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  UrlHandle handle(curl_url());
  if (handle == nullptr) return error("out of memory");
  return set_and_take(handle.get(), text);
}

Result<Url> resolve_url(const Url& base, std::string_view location) {
  UrlHandle handle(curl_url());
  if (handle == nullptr) return error("out of memory");
  TRY(set_and_take(handle.get(), base.text));
  return set_and_take(handle.get(), location);
}

Result<Url> resolve_redirect(const Url& from, std::string_view location) {
  if (location.empty()) return error("a redirect without a location");
  Url next = TRY_IN("redirect", resolve_url(from, location));
  if (from.scheme == "https" && next.scheme != "https")
    return error("a redirect leads from https to plain http at {}: refused", next.host);
  return next;
}

std::string percent_encode(std::string_view text, Slash slash) {
  std::string out;
  for (char c : text) {
    bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                      c == '_' || c == '~' || (c == '/' && slash == Slash::kKeep);
    if (unreserved) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace minke::hub
