// GET at the hub's endpoint: redirects followed by hand, the token kept to the endpoint's origin, every request in the
// outbound ledger.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "hub/cancel.h"
#include "hub/net/failure.h"
#include "hub/net/http_client.h"
#include "hub/net/outbound_log.h"
#include "hub/net/url.h"
#include "hub/options.h"

namespace minke::hub {

struct Fetch {
  Url url;              // at the endpoint's origin
  std::string purpose;  // for the ledger
  std::vector<std::string> headers;
  double total_timeout_s = 0;
  std::function<Attempt<void>(const HttpReply&)> on_redirect = [](const HttpReply&) { return Attempt<void>(); };
  // Only for 2xx; other replies become failures with the hub's reason.
  std::function<Attempt<void>(const HttpReply&)> on_reply = [](const HttpReply&) { return Attempt<void>(); };
  std::function<Attempt<void>(std::span<const std::byte>)> on_body;
};

// One per thread. The references must outlive it.
class Transport {
 public:
  static Result<Transport> create(const HubOptions& options, OutboundLog& log, const Cancel& cancel);

  Attempt<HttpReply> get(const Fetch& fetch);

  // The endpoint's address with a path after it, e.g. "/api/models/org/name".
  Result<Url> endpoint_url(const std::string& path) const { return parse_url(options_->endpoint + path); }
  const Url& endpoint() const { return endpoint_; }
  const HubOptions& options() const { return *options_; }

 private:
  Transport(const HubOptions& options, OutboundLog& log, const Cancel& cancel, Url endpoint)
      : options_(&options),
        log_(&log),
        client_(std::make_unique<HttpClient>(options, cancel)),
        endpoint_(std::move(endpoint)) {}

  Attempt<HttpReply> get_hop(const HttpRequest& request, const std::string& purpose);
  bool may_send_token(const Url& url) const;  // to the endpoint's origin, the rest is the caller's check
  Failure failure_of(const HttpReply& reply, const Url& url) const;

  const HubOptions* options_;
  OutboundLog* log_;
  std::unique_ptr<HttpClient> client_;
  Url endpoint_;
};

}  // namespace minke::hub
