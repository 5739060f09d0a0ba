#include "server/net/connection.h"

#include <poll.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <chrono>
#include <optional>
#include <sstream>

#include "server/generation.h"

namespace minke::server {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using Plain = beast::tcp_stream;
using Encrypted = beast::ssl_stream<beast::tcp_stream>;

Clock::duration seconds(double s) { return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(s)); }

// The client has closed its side: what it asked for is for nobody. Sees past bytes that were not read yet.
bool has_hung_up(int fd) {
  pollfd state{fd, POLLRDHUP, 0};
  return ::poll(&state, 1, 0) == 1 && (state.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

// What wakes a connection that waits: events of a backend, the client going away, the server stopping. The timer lives on the
// io_context's thread; whoever wakes from elsewhere posts.
struct Bell : std::enable_shared_from_this<Bell> {
  explicit Bell(const asio::any_io_executor& executor) : timer(executor) {}
  void ring_from_anywhere() {
    asio::post(timer.get_executor(), [self = shared_from_this()] { self->timer.cancel(); });
  }
  asio::awaitable<void> wait_until(Clock::time_point deadline) {
    error_code ignored;
    timer.expires_at(deadline);
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  asio::steady_timer timer;
  bool is_readable = false;
};

template <typename Stream>
class Connection {
 public:
  Connection(ConnectionHost& host, Stream& stream)
      : host_(host), stream_(stream), bell_(std::make_shared<Bell>(stream.get_executor())) {
    error_code ignored;
    const auto endpoint = socket().remote_endpoint(ignored);
    if (!ignored) peer_ = endpoint.address().to_string();
    entry_ = host_.connections.insert(host_.connections.end(), [this](ConnectionHost::Stop how) { on_stop(how); });
    host_.app.metrics().connection_opened();
  }
  ~Connection() {
    host_.connections.erase(entry_);
    host_.app.metrics().connection_closed();
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  asio::awaitable<void> run() {
    if constexpr (std::is_same_v<Stream, Encrypted>) {
      tcp().expires_after(seconds(host_.limits.header_s));
      error_code failed;
      co_await stream_.async_handshake(asio::ssl::stream_base::server, asio::redirect_error(asio::use_awaitable, failed));
      if (failed) co_return;
    }
    while (!must_close_) co_await one_request();
    co_await close();
  }

 private:
  using Parser = http::request_parser<http::string_body>;

  Plain& tcp() { return beast::get_lowest_layer(stream_); }
  Tcp::socket& socket() { return tcp().socket(); }

  void on_stop(ConnectionHost::Stop how) {
    stop_ = how;
    if (is_idle_ || how == ConnectionHost::Stop::kHard) tcp().cancel();
    bell_->timer.cancel();
  }

  asio::awaitable<void> one_request() {
    Parser parser;
    parser.header_limit(static_cast<std::uint32_t>(host_.limits.max_header_bytes));
    parser.body_limit(boost::none);  // set when the body is read: who is refused is told so first
    must_close_ = true;              // unless all goes well
    if (!co_await wait_for_request()) co_return;
    error_code failed;
    tcp().expires_after(seconds(host_.limits.header_s));
    co_await http::async_read_header(stream_, buffer_, parser, asio::redirect_error(asio::use_awaitable, failed));
    HttpRequest request;
    request.peer = peer_;
    request.is_encrypted = std::is_same_v<Stream, Encrypted>;
    if (failed) {
      co_await answer_bad_header(failed, request);
      co_return;
    }
    if (!take_header(parser, request)) {
      co_await send_error(request, invalid("", "the path of the request cannot be read"));
      co_return;
    }
    if (auto refused = host_.app.admit(request)) {
      // Its body stays unread, so the connection ends here; one without a body may go on.
      must_close_ = has_body(parser) || !parser.keep_alive();
      co_await send(request, std::move(*refused));
      co_return;
    }
    if (!co_await read_body(parser, request)) co_return;
    must_close_ = !parser.keep_alive() || host_.is_draining;
    is_http10_ = parser.get().version() < 11;
    HttpReply reply = co_await handle(request);
    if (reply.generation) {
      co_await send_generation(request, std::move(reply));
    } else {
      co_await send(request, std::move(reply));
    }
  }

  // The first byte of the next request, or nothing.
  asio::awaitable<bool> wait_for_request() {
    if (host_.is_draining) co_return false;
    if (buffer_.size() > 0) co_return true;
    is_idle_ = true;
    tcp().expires_after(seconds(is_first_ ? host_.limits.header_s : host_.limits.idle_s));
    is_first_ = false;
    error_code failed;
    const size_t n = co_await stream_.async_read_some(buffer_.prepare(4096), asio::redirect_error(asio::use_awaitable, failed));
    is_idle_ = false;
    buffer_.commit(n);
    co_return !failed && n > 0;
  }

  static bool has_body(const Parser& parser) { return parser.chunked() || parser.content_length().value_or(0) > 0; }

  static bool take_header(const Parser& parser, HttpRequest& request) {
    const auto& message = parser.get();
    const auto text = [](const auto& view) { return std::string(view.data(), view.size()); };
    request.method = text(message.method_string());
    for (const auto& field : message) {
      std::string name = text(field.name_string());
      for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      request.headers.emplace_back(std::move(name), text(field.value()));
    }
    auto target = parse_target({message.target().data(), message.target().size()});
    if (!target) return false;
    request.path = std::move(target->path);
    request.query = std::move(target->query);
    return true;
  }

  asio::awaitable<void> answer_bad_header(error_code failed, HttpRequest& request) {
    // A client that went away, or dawdled, gets nothing; one that spoke something else is told.
    if (failed == http::error::header_limit) {
      HttpReply reply = host_.app.refuse(
          request, invalid("", "the header of the request is larger than {} bytes", host_.limits.max_header_bytes));
      reply.status = 431;
      co_await send(request, std::move(reply));
    } else if (failed.category() == make_error_code(http::error::bad_version).category() &&
               failed != http::error::end_of_stream && failed != http::error::partial_message) {
      co_await send_error(request, invalid("", "this is not HTTP/1.1: {}", failed.message()));
    }
  }

  asio::awaitable<bool> read_body(Parser& parser, HttpRequest& request) {
    error_code failed;
    if (parser.content_length().value_or(0) > host_.limits.max_body_bytes) {
      co_await send_error(request, too_large());
      co_return false;
    }
    if (request.header("expect") == "100-continue" && has_body(parser)) {
      constexpr std::string_view kGoOn = "HTTP/1.1 100 Continue\r\n\r\n";
      co_await asio::async_write(stream_, asio::buffer(kGoOn), asio::redirect_error(asio::use_awaitable, failed));
      if (failed) co_return false;
    }
    parser.body_limit(host_.limits.max_body_bytes);
    tcp().expires_after(seconds(host_.limits.body_s));
    if (!parser.is_done())
      co_await http::async_read(stream_, buffer_, parser, asio::redirect_error(asio::use_awaitable, failed));
    if (failed == http::error::body_limit) {
      co_await send_error(request, too_large());
      co_return false;
    }
    if (failed) co_return false;  // a deadline has closed the socket already
    request.body = std::move(parser.get().body());
    co_return true;
  }

  ApiError too_large() const {
    return {ErrorKind::kTooLarge, fmt::format("the body of the request is larger than {} bytes", host_.limits.max_body_bytes)};
  }

  // On the pool: tokenising a long prompt or opening a store takes a while, and the other connections go on.
  asio::awaitable<HttpReply> handle(HttpRequest& request) {
    tcp().expires_never();
    auto work = [this, &request]() -> asio::awaitable<HttpReply> { co_return host_.app.handle(request); };
    co_return co_await asio::co_spawn(host_.workers, work, asio::use_awaitable);
  }
  asio::awaitable<void> on_pool(std::function<void()> job) {
    auto work = [&job]() -> asio::awaitable<void> {
      job();
      co_return;
    };
    co_await asio::co_spawn(host_.workers, work, asio::use_awaitable);
  }

  asio::awaitable<void> send_error(HttpRequest& request, ApiError error) {
    co_await send(request, host_.app.refuse(request, error));
  }

  http::response<http::empty_body> head_of(const HttpReply& reply) const {
    http::response<http::empty_body> head;
    head.version(11);
    head.result(static_cast<unsigned>(reply.status));
    head.set(http::field::content_type, reply.content_type);
    for (const auto& [name, value] : reply.headers) head.insert(name, value);
    head.set(http::field::connection, must_close_ ? "close" : "keep-alive");
    return head;
  }

  asio::awaitable<void> send(HttpRequest& request, HttpReply reply) {
    host_.app.finish(request, reply);
    const std::string_view body = reply.fixed_body.empty() ? std::string_view(reply.body) : reply.fixed_body;
    http::response<http::empty_body> head = head_of(reply);
    if (reply.status != 204 && reply.status != 304) head.set(http::field::content_length, std::to_string(body.size()));
    std::string bytes = head_text(head);
    const bool has_no_body = request.method == "HEAD" || reply.status == 204 || reply.status == 304;
    const std::array<asio::const_buffer, 2> parts = {asio::buffer(bytes),
                                                     has_no_body ? asio::const_buffer() : asio::buffer(body)};
    if (!co_await write(parts)) must_close_ = true;
  }

  static std::string head_text(const http::response<http::empty_body>& head) {
    std::ostringstream out;
    out << head.base();
    return out.str();
  }

  template <typename Buffers>
  asio::awaitable<bool> write(const Buffers& buffers) {
    error_code failed;
    tcp().expires_after(seconds(host_.limits.write_s));
    co_await asio::async_write(stream_, buffers, asio::redirect_error(asio::use_awaitable, failed));
    co_return !failed;
  }

  // Waits for the first events; then either the whole reply, or piece after piece.
  asio::awaitable<void> send_generation(HttpRequest& request, HttpReply reply) {
    const std::shared_ptr<Generation> generation = std::move(reply.generation);
    generation->on_ready([bell = bell_] { bell->ring_from_anywhere(); });
    watch_client();
    std::string out;
    bool is_over = co_await next_piece(*generation, out, Clock::now() + seconds(host_.limits.keep_alive_s));
    bool is_alive = !is_gone_;
    if (generation->streams() && is_alive && !(is_over && generation->early_failure())) {
      is_alive = co_await stream(request, reply, *generation, out, is_over);
    } else {
      while (is_alive && !is_over) {
        is_over = co_await next_piece(*generation, out, Clock::now() + seconds(host_.limits.keep_alive_s));
        is_alive = !is_gone_;
      }
      if (is_alive) {
        co_await on_pool([&] { generation->end(out); });
        unwatch_client();
        HttpReply whole = generation->streams() ? *generation->early_failure() : generation->finish();
        co_await send(request, std::move(whole));
      }
    }
    unwatch_client();
    generation->on_ready({});
    if (is_alive) co_return;
    must_close_ = true;
    // The handler's word to the backend and to the store; the socket is closed afterwards.
    co_await on_pool([&] { generation->abandon(); });
  }

  asio::awaitable<bool> stream(HttpRequest& request, HttpReply& reply, Generation& generation, std::string& out, bool is_over) {
    // Without chunks the end of the connection ends the body.
    must_close_ = must_close_ || is_http10_;
    reply.headers.emplace_back("X-Accel-Buffering", "no");
    host_.app.finish(request, reply);
    http::response<http::empty_body> head = head_of(reply);
    if (!is_http10_) head.set(http::field::transfer_encoding, "chunked");
    std::string bytes = head_text(head);
    if (!out.empty()) append_chunk(bytes, out);
    if (!co_await write(asio::buffer(bytes))) co_return false;
    Clock::time_point next_sign = Clock::now() + seconds(host_.limits.keep_alive_s);
    while (!is_over) {
      out.clear();
      // First what has come: a ring during a write finds nobody waiting, and the next one comes only after the queue was
      // emptied.
      is_over = generation.pump(out);
      if (out.empty() && !is_over && Clock::now() < next_sign) {
        co_await wait_for_events(next_sign);
        if (is_gone_) co_return false;
        continue;
      }
      if (out.empty() && !is_over) out = generation.keep_alive();
      next_sign = Clock::now() + seconds(host_.limits.keep_alive_s);
      if (out.empty()) continue;
      bytes.clear();
      append_chunk(bytes, out);
      if (!co_await write(asio::buffer(bytes))) co_return false;
    }
    out.clear();
    co_await on_pool([&] { generation.end(out); });
    unwatch_client();
    bytes.clear();
    append_chunk(bytes, out);
    if (!is_http10_) bytes += "0\r\n\r\n";
    co_return co_await write(asio::buffer(bytes));
  }

  void append_chunk(std::string& bytes, const std::string& out) const {
    if (out.empty()) return;
    if (is_http10_) {
      bytes += out;
    } else {
      fmt::format_to(std::back_inserter(bytes), "{:x}\r\n{}\r\n", out.size(), out);
    }
  }

  // Pumps until there are bytes, the end, or the deadline.
  asio::awaitable<bool> next_piece(Generation& generation, std::string& out, Clock::time_point deadline) {
    while (true) {
      if (generation.pump(out)) co_return true;
      if (!out.empty() || is_gone_ || Clock::now() >= deadline) co_return false;
      co_await wait_for_events(deadline);
    }
  }

  // Until something rings, or the deadline. Notices a client that went, and a server that stops hard.
  asio::awaitable<void> wait_for_events(Clock::time_point deadline) {
    // Bytes of a next request would hide the end of the connection from the watch: then it is asked every second.
    const auto look = bell_->is_readable ? std::min(deadline, Clock::now() + std::chrono::seconds(1)) : deadline;
    co_await bell_->wait_until(look);
    is_gone_ = is_gone_ || stop_ == ConnectionHost::Stop::kHard || has_hung_up(socket().native_handle());
  }

  void watch_client() {
    bell_->is_readable = false;
    socket().async_wait(Tcp::socket::wait_read, [bell = bell_](error_code failed) {
      if (failed) return;
      bell->is_readable = true;
      bell->timer.cancel();
    });
    is_watching_ = true;
  }
  void unwatch_client() {
    error_code ignored;
    if (std::exchange(is_watching_, false)) socket().cancel(ignored);
  }

  // The client must get the last reply: closing with bytes unread would reset the connection under it.
  asio::awaitable<void> close() {
    error_code failed;
    tcp().expires_after(std::chrono::seconds(2));
    if constexpr (std::is_same_v<Stream, Encrypted>)
      co_await stream_.async_shutdown(asio::redirect_error(asio::use_awaitable, failed));
    socket().shutdown(Tcp::socket::shutdown_send, failed);
    if (failed || stop_ == ConnectionHost::Stop::kHard) co_return;
    std::array<char, 16384> waste;
    constexpr size_t kMostWaste = 64 << 20;
    for (size_t n = 0; n < kMostWaste && !failed;)
      n += co_await tcp().async_read_some(asio::buffer(waste), asio::redirect_error(asio::use_awaitable, failed));
  }

  ConnectionHost& host_;
  Stream& stream_;
  std::shared_ptr<Bell> bell_;
  std::list<std::function<void(ConnectionHost::Stop)>>::iterator entry_;
  std::string peer_;
  beast::flat_buffer buffer_;
  std::optional<ConnectionHost::Stop> stop_;
  bool is_first_ = true, is_idle_ = false, must_close_ = false, is_http10_ = false, is_gone_ = false, is_watching_ = false;
};

template <typename Stream>
asio::awaitable<void> serve(ConnectionHost& host, Stream& stream) {
  Connection<Stream> connection(host, stream);
  try {
    co_await connection.run();
  } catch (const std::exception&) {
    // Nothing here throws but for want of memory; the connection goes, the server stays.
  }
}

}  // namespace

asio::awaitable<void> serve_connection(ConnectionHost& host, Tcp::socket socket, asio::ssl::context* tls) {
  error_code ignored;
  socket.set_option(Tcp::no_delay(true), ignored);
  if (tls == nullptr) {
    Plain stream(std::move(socket));
    co_await serve(host, stream);
  } else {
    Encrypted stream(Plain(std::move(socket)), *tls);
    co_await serve(host, stream);
  }
}

}  // namespace minke::server
