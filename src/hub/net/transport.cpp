#include "hub/net/transport.h"

#include <optional>

#include "base/check.h"
#include "hub/names.h"

namespace minke::hub {
namespace {

bool is_success(int status) { return status >= 200 && status < 300; }

bool is_transient_status(int status) {
  return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

// Without the query, which may hold a signature.
std::string shown_url(const Url& url) { return printable(std::string_view(url.text).substr(0, url.text.find('?')), 300); }

}  // namespace

Result<Transport> Transport::create(const HubOptions& options, OutboundLog& log, const Cancel& cancel) {
  CHECK(!options.offline, "a transport was made in offline mode");
  Url endpoint = TRY_IN("HF_ENDPOINT", parse_url(options.endpoint));
  return Transport(options, log, cancel, std::move(endpoint));
}

bool Transport::may_send_token(const Url& url) const {
  if (options_->token.empty()) return false;
  return url.scheme == "https" || kind_of_host(url.host) == AddressKind::kLoopback;
}

Attempt<HttpReply> Transport::get(const Fetch& fetch) {
  CHECK(fetch.url.same_origin(endpoint_), "{} is not at {}", fetch.url.origin(), endpoint_.origin());
  HttpRequest request;
  request.url = fetch.url;
  request.total_timeout_s = fetch.total_timeout_s;
  request.on_body = fetch.on_body;
  request.on_reply = [&](const HttpReply& reply) -> Attempt<void> {
    if (is_success(reply.status)) return fetch.on_reply(reply);
    return tl::unexpected<Failure>(failure_of(reply, request.url));
  };

  // The user chose the endpoint, wherever it is; the redirects are the server's choice.
  std::optional<AddressKind> endpoint_kind;
  bool has_left_origin = false;
  for (int hop = 0; hop <= options_->max_redirects; hop++) {
    has_left_origin = has_left_origin || !request.url.same_origin(endpoint_);
    request.headers = fetch.headers;
    if (!has_left_origin && may_send_token(request.url)) request.headers.push_back("Authorization: Bearer " + options_->token);
    request.may_connect = [&](AddressKind kind) {
      return hop == 0 || redirect_allowed(endpoint_kind.value_or(AddressKind::kPublic), kind);
    };
    auto reply = get_hop(request, fetch.purpose);
    if (!reply) return reply;
    if (hop == 0) endpoint_kind = reply->peer ? reply->peer : kind_of_host(request.url.host);
    if (is_success(reply->status)) return reply;
    if (auto taken = fetch.on_redirect(*reply); !taken) return tl::unexpected<Failure>(taken.error());
    auto next = resolve_redirect(request.url, reply->header("location"));
    if (!next)
      return failure(Failure::Kind::kFatal, "{}: HTTP {}: {}", shown_url(request.url), reply->status, next.error().message);
    auto literal = kind_of_host(next->host);
    if (literal && !redirect_allowed(endpoint_kind.value_or(AddressKind::kPublic), *literal)) {
      return failure(Failure::Kind::kFatal,
                     "{}: a redirect leads to {} ({}), which this endpoint has no business with: refused",
                     shown_url(request.url), next->host, name_of(*literal));
    }
    request.url = std::move(*next);
  }
  return failure(Failure::Kind::kFatal, "{}: redirected more than {} times", shown_url(fetch.url), options_->max_redirects);
}

Attempt<HttpReply> Transport::get_hop(const HttpRequest& request, const std::string& purpose) {
  auto id = log_->begin({"GET", fmt::format("{}:{}", request.url.host, request.url.port), request.url.path, purpose});
  if (!id) return fatal(id.error());
  auto reply = client_->get(request);
  Traffic traffic = client_->last_traffic();
  OutboundOutcome outcome{traffic.status, traffic.sent_bytes, traffic.received_bytes, reply ? "" : reply.error().message};
  if (auto written = log_->end(*id, outcome); !written) return fatal(written.error());
  return reply;
}

Failure Transport::failure_of(const HttpReply& reply, const Url& url) const {
  if (is_transient_status(reply.status)) {
    std::string_view hint = reply.status == 429 ? ": too many requests (a token in HF_TOKEN raises the limit)" : "";
    return {Failure::Kind::kTransient, fmt::format("{}: HTTP {}{}", shown_url(url), reply.status, hint), 0};
  }
  if (reply.status == 416)
    return {Failure::Kind::kRestart, fmt::format("{}: HTTP 416: the server refuses the range", shown_url(url)), 0};
  std::string code = printable(reply.header("x-error-code"), 40);
  std::string detail;
  if (!url.same_origin(endpoint_)) {
    return {Failure::Kind::kFatal, fmt::format("{}: HTTP {} from the storage behind the hub", shown_url(url), reply.status), 0};
  }
  bool is_gated = code == "GatedRepo" || reply.status == 403;
  if (is_gated) {
    detail = options_->token.empty()
                 ? "the model is gated: accept its licence on its page and set HF_TOKEN to a token of that account"
                 : "the token has no access: accept the licence on the model's page with the account of the token";
  } else if (code == "RevisionNotFound") {
    detail = "no such revision (branch, tag or commit)";
  } else if (code == "EntryNotFound") {
    detail = "no such file in this revision";
  } else if (reply.status == 401 || reply.status == 404) {
    detail = options_->token.empty() ? "no such model, or a private one: check the name, or set HF_TOKEN"
                                     : "no such model, or the token has no access to it: check the name and HF_TOKEN";
  } else {
    detail = printable(reply.header("x-error-message"));
  }
  return {Failure::Kind::kFatal,
          fmt::format("{}: HTTP {}{}{}", shown_url(url), reply.status, detail.empty() ? "" : ": ", detail), 0};
}

}  // namespace minke::hub
