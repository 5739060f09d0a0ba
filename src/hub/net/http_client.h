// One HTTP GET over libcurl, without redirects, cookies, caches or credentials of its own. Where it may connect to is
// checked after DNS, at the socket, so that a name that changes its address between check and use gains nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hub/cancel.h"
#include "hub/net/address.h"
#include "hub/net/failure.h"
#include "hub/net/url.h"
#include "hub/options.h"

namespace minke::hub {

struct HttpReply {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::optional<AddressKind> peer;                           // none behind a proxy

  std::string_view header(std::string_view name) const;  // "" when it is not there; the last one when it is there twice
  bool is_redirect() const { return status == 301 || status == 302 || status == 303 || status == 307 || status == 308; }
};

struct HttpRequest {
  Url url;
  std::vector<std::string> headers;
  double total_timeout_s = 0;                    // 0: only the stall limit counts
  std::function<bool(AddressKind)> may_connect;  // asked for each address that DNS gives
  // Called once, with status and headers, unless it is a redirect; a failure stops the transfer and is handed back.
  std::function<Attempt<void>(const HttpReply&)> on_reply;
  std::function<Attempt<void>(std::span<const std::byte>)> on_body;
};

struct Traffic {
  int status = 0;  // 0: no answer
  uint64_t sent_bytes = 0;
  uint64_t received_bytes = 0;
};

class HttpClient {
 public:
  HttpClient(const HubOptions& options, const Cancel& cancel);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  Attempt<HttpReply> get(const HttpRequest& request);
  Traffic last_traffic() const { return traffic_; }

 private:
  struct Curl;
  const HubOptions& options_;
  const Cancel& cancel_;
  std::unique_ptr<Curl> curl_;  // keeps connections alive between requests
  Traffic traffic_;
};

}  // namespace minke::hub
