#include "hub/net/http_client.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "base/check.h"
#include "hub/names.h"

namespace minke::hub {
namespace {

constexpr size_t kMaxHeaderBytes = size_t{256} << 10;
constexpr size_t kMaxRedirectBody = size_t{64} << 10;

// What the callbacks of one transfer share.
struct Transfer {
  const HttpRequest& request;
  const Cancel& cancel;
  bool via_proxy = false;
  HttpReply reply;
  bool has_reply = false;  // the header block is complete
  size_t header_bytes = 0;
  size_t body_bytes = 0;
  std::string refused_address;
  std::optional<Failure> failure;
};

std::string_view trimmed(std::string_view text) {
  auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  return text;
}

// False: the transfer must stop, the reason is in transfer.failure.
bool finish_headers(Transfer& transfer) {
  transfer.has_reply = true;
  if (transfer.reply.is_redirect()) return true;
  std::string_view encoding = transfer.reply.header("content-encoding");
  if (!encoding.empty() && ascii_lower(encoding) != "identity") {
    transfer.failure = Failure{Failure::Kind::kFatal,
                               fmt::format("{}: the server sent content-encoding \"{}\", which was not asked for; a proxy or "
                                           "mirror on the way changes files: use another HF_ENDPOINT",
                                           transfer.request.url.host, printable(encoding, 40)),
                               0};
    return false;
  }
  auto taken = transfer.request.on_reply(transfer.reply);
  if (!taken) transfer.failure = taken.error();
  return taken.has_value();
}

size_t on_header(char* data, size_t, size_t n_bytes, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  std::string_view line(data, n_bytes);
  if (transfer.has_reply) return n_bytes;  // trailers of a chunked body
  transfer.header_bytes += n_bytes;
  if (transfer.header_bytes > kMaxHeaderBytes) {
    transfer.failure = Failure{Failure::Kind::kFatal,
                               fmt::format("{}: more than {} bytes of headers", transfer.request.url.host, kMaxHeaderBytes), 0};
    return 0;
  }
  if (line.starts_with("HTTP/")) {
    transfer.reply = {};
    size_t space = line.find(' ');
    if (space != line.npos) transfer.reply.status = std::atoi(std::string(line.substr(space + 1, 3)).c_str());
    return n_bytes;
  }
  if (trimmed(line).empty()) {
    bool is_interim = transfer.reply.status < 200;
    return is_interim || finish_headers(transfer) ? n_bytes : 0;
  }
  size_t colon = line.find(':');
  if (colon != line.npos) {
    transfer.reply.headers.emplace_back(ascii_lower(trimmed(line.substr(0, colon))),
                                        std::string(trimmed(line.substr(colon + 1))));
  }
  return n_bytes;
}

size_t on_body(char* data, size_t, size_t n_bytes, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  transfer.body_bytes += n_bytes;
  if (transfer.reply.is_redirect()) return transfer.body_bytes > kMaxRedirectBody ? 0 : n_bytes;
  auto taken = transfer.request.on_body(std::as_bytes(std::span(data, n_bytes)));
  if (!taken) transfer.failure = taken.error();
  return taken ? n_bytes : 0;
}

curl_socket_t on_socket(void* user, curlsocktype, curl_sockaddr* address) {
  auto& transfer = *static_cast<Transfer*>(user);
  // Behind a proxy this is the proxy's address, which the user chose.
  if (!transfer.via_proxy && !transfer.request.may_connect(kind_of_address(address->addr))) {
    transfer.refused_address = fmt::format("{} ({})", address_text(address->addr), name_of(kind_of_address(address->addr)));
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

int on_tick(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Transfer*>(user)->cancel.is_set() ? 1 : 0;
}

bool is_transient(CURLcode code) {
  constexpr std::array kTransient = {CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY,
                                     CURLE_COULDNT_CONNECT,      CURLE_PARTIAL_FILE,
                                     CURLE_OPERATION_TIMEDOUT,   CURLE_GOT_NOTHING,
                                     CURLE_SEND_ERROR,           CURLE_RECV_ERROR,
                                     CURLE_SSL_CONNECT_ERROR,    CURLE_HTTP2,
                                     CURLE_HTTP2_STREAM};
  return std::find(kTransient.begin(), kTransient.end(), code) != kTransient.end();
}

void initialise_curl_once() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  CHECK(code == CURLE_OK, "curl_global_init: {}", curl_easy_strerror(code));
}

std::optional<AddressKind> peer_of(CURL* handle) {
  char* ip = nullptr;
  if (curl_easy_getinfo(handle, CURLINFO_PRIMARY_IP, &ip) != CURLE_OK || ip == nullptr || *ip == '\0') return std::nullopt;
  std::string text = ip;
  return kind_of_host(text.find(':') == text.npos ? text : "[" + text + "]");
}

}  // namespace

struct HttpClient::Curl {
  CURL* handle = curl_easy_init();
  std::array<char, CURL_ERROR_SIZE> message{};
  Curl() = default;
  Curl(const Curl&) = delete;
  Curl& operator=(const Curl&) = delete;
  ~Curl() { curl_easy_cleanup(handle); }

  template <typename T>
  void set(CURLoption option, T value) {
    CURLcode code = curl_easy_setopt(handle, option, value);
    CHECK(code == CURLE_OK, "curl option {}: {}", static_cast<int>(option), curl_easy_strerror(code));
  }
  void set_fixed(const HubOptions& options);
  void set_request(const HttpRequest& request, Transfer& transfer, curl_slist* headers, const HubOptions& options);
  Traffic traffic() const;
};

void HttpClient::Curl::set_fixed(const HubOptions& options) {
  set(CURLOPT_ERRORBUFFER, message.data());
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(CURLOPT_USERAGENT, "minke/" MINKE_VERSION);
  set(CURLOPT_CONNECTTIMEOUT_MS, std::max(1L, std::lround(options.timeouts.connect_s * 1000)));
  set(CURLOPT_LOW_SPEED_LIMIT, options.timeouts.min_bytes_per_s);
  set(CURLOPT_LOW_SPEED_TIME, std::max(1L, std::lround(options.timeouts.stall_s)));
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_HEADERFUNCTION, &on_header);
  set(CURLOPT_WRITEFUNCTION, &on_body);
  set(CURLOPT_XFERINFOFUNCTION, &on_tick);
  set(CURLOPT_OPENSOCKETFUNCTION, &on_socket);
  set(CURLOPT_NOPROXY, options.proxies.none.c_str());
  if (!options.ca_bundle.empty()) set(CURLOPT_CAINFO, options.ca_bundle.c_str());
}

void HttpClient::Curl::set_request(const HttpRequest& request, Transfer& transfer, curl_slist* headers,
                                   const HubOptions& options) {
  const std::string& proxy = request.url.scheme == "https" ? options.proxies.https : options.proxies.http;
  // What is meant for this machine, the token too, does not take a way around over another one.
  bool is_local = kind_of_host(request.url.host) == AddressKind::kLoopback;
  transfer.via_proxy = !proxy.empty() && !is_local;
  set(CURLOPT_PROXY, is_local ? "" : proxy.c_str());  // "" also keeps curl from reading the environment itself
  set(CURLOPT_URL, request.url.text.c_str());
  set(CURLOPT_HTTPHEADER, headers);
  set(CURLOPT_TIMEOUT_MS, std::lround(request.total_timeout_s * 1000));
  set(CURLOPT_HEADERDATA, &transfer);
  set(CURLOPT_WRITEDATA, &transfer);
  set(CURLOPT_XFERINFODATA, &transfer);
  set(CURLOPT_OPENSOCKETDATA, &transfer);
}

Traffic HttpClient::Curl::traffic() const {
  long sent = 0;
  long header_bytes = 0;
  curl_off_t body_bytes = 0;
  curl_easy_getinfo(handle, CURLINFO_REQUEST_SIZE, &sent);
  curl_easy_getinfo(handle, CURLINFO_HEADER_SIZE, &header_bytes);
  curl_easy_getinfo(handle, CURLINFO_SIZE_DOWNLOAD_T, &body_bytes);
  return {0, static_cast<uint64_t>(sent), static_cast<uint64_t>(header_bytes) + static_cast<uint64_t>(body_bytes)};
}

std::string_view HttpReply::header(std::string_view name) const {
  for (auto it = headers.rbegin(); it != headers.rend(); ++it) {
    if (it->first == name) return it->second;
  }
  return {};
}

HttpClient::HttpClient(const HubOptions& options, const Cancel& cancel) : options_(options), cancel_(cancel) {
  initialise_curl_once();
  curl_ = std::make_unique<Curl>();
  CHECK(curl_->handle != nullptr, "out of memory");
  curl_->set_fixed(options_);
}

HttpClient::~HttpClient() = default;

Attempt<HttpReply> HttpClient::get(const HttpRequest& request) {
  traffic_ = {};
  if (cancel_.is_set()) return failure(Failure::Kind::kCancelled, "cancelled");
  Transfer transfer{.request = request, .cancel = cancel_, .reply = {}, .refused_address = {}, .failure = {}};
  std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(nullptr, &curl_slist_free_all);
  auto add = [&](const std::string& line) { headers.reset(curl_slist_append(headers.release(), line.c_str())); };
  add("Accept-Encoding: identity");
  for (const std::string& line : request.headers) add(line);
  curl_->message.front() = '\0';
  curl_->set_request(request, transfer, headers.get(), options_);

  CURLcode code = curl_easy_perform(curl_->handle);
  traffic_ = curl_->traffic();
  if (transfer.has_reply) traffic_.status = transfer.reply.status;
  curl_->set(CURLOPT_HTTPHEADER, static_cast<curl_slist*>(nullptr));
  if (transfer.failure) {
    curl_off_t retry_after_s = 0;  // curl reads both of its forms, seconds and date
    curl_easy_getinfo(curl_->handle, CURLINFO_RETRY_AFTER, &retry_after_s);
    transfer.failure->retry_after_s = static_cast<double>(retry_after_s);
    return tl::unexpected<Failure>(std::move(*transfer.failure));
  }
  if (cancel_.is_set()) return failure(Failure::Kind::kCancelled, "cancelled");
  if (!transfer.refused_address.empty()) {
    return failure(Failure::Kind::kFatal, "{}: a redirect leads to {}, which this endpoint has no business with: refused",
                   request.url.host, transfer.refused_address);
  }
  bool has_redirect = transfer.has_reply && transfer.reply.is_redirect();
  if (code != CURLE_OK && !has_redirect) {
    auto kind = is_transient(code) ? Failure::Kind::kTransient : Failure::Kind::kFatal;
    std::string_view detail = curl_->message.front() != '\0' ? curl_->message.data() : curl_easy_strerror(code);
    bool is_certificate = code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE;
    std::string_view hint = is_certificate ? ": a proxy that reads TLS needs its certificate in SSL_CERT_FILE" : "";
    return failure(kind, "{}: {}{}", request.url.host, printable(detail), hint);
  }
  if (!transfer.via_proxy) transfer.reply.peer = peer_of(curl_->handle);
  return std::move(transfer.reply);
}

}  // namespace minke::hub
