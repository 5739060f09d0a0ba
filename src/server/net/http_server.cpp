#include "server/net/http_server.h"

#include <openssl/ssl.h>
#include <sys/resource.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <optional>

#include "server/net/connection.h"

namespace minke::server {

using boost::system::error_code;

namespace {

// Systems let a program open 1,024 files unless it asks for more, which it may.
void allow_descriptors(size_t n_connections) {
  constexpr rlim_t kOthers = 256;  // the model's files, the store, libraries
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = std::min<rlim_t>(n_connections + kOthers, limit.rlim_max);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  setrlimit(RLIMIT_NOFILE, &limit);  // without it, connections beyond the limit wait to be accepted
}

}  // namespace

struct HttpServer::State {
  State(HttpServerOptions given, App& the_app)
      : options(std::move(given)),
        app(the_app),
        workers(static_cast<size_t>(options.n_workers)),
        host{the_app, options.limits, workers},
        acceptor(io),
        signals(io),
        drain_timer(io) {}

  HttpServerOptions options;
  App& app;
  asio::thread_pool workers;
  std::optional<asio::ssl::context> tls;
  ConnectionHost host;
  asio::io_context io{1};  // goes before what its coroutines refer to
  Tcp::acceptor acceptor;
  Tcp::endpoint bound;
  asio::signal_set signals;
  asio::steady_timer drain_timer;
  int n_stops = 0;

  Status listen();
  Status load_tls();
  asio::awaitable<void> accept_loop();
  void wait_for_signal();
  void stop();
  void watch_drain(std::chrono::steady_clock::time_point deadline);
};

Status HttpServer::State::load_tls() {
  const TlsFiles& files = options.tls;
  if (files.certificate_chain.empty() != files.private_key.empty())
    return error("TLS: expected a certificate and a key, got one of them");
  if (files.certificate_chain.empty()) return {};
  tls.emplace(asio::ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(tls->native_handle(), TLS1_2_VERSION);
  error_code failed;
  tls->use_certificate_chain_file(files.certificate_chain, failed);
  if (failed) return error("{}: no PEM certificate: {}", files.certificate_chain, failed.message());
  tls->use_private_key_file(files.private_key, asio::ssl::context::pem, failed);
  if (failed) return error("{}: no PEM key of that certificate: {}", files.private_key, failed.message());
  return {};
}

Status HttpServer::State::listen() {
  error_code failed;
  const auto address = asio::ip::make_address(options.address, failed);
  if (failed) return error("{}: expected an IP address to listen on, such as 127.0.0.1", options.address);
  const Tcp::endpoint endpoint(address, options.port);
  acceptor.open(endpoint.protocol(), failed);
  if (!failed) acceptor.set_option(Tcp::acceptor::reuse_address(true), failed);
  if (!failed) acceptor.bind(endpoint, failed);
  if (!failed) acceptor.listen(asio::socket_base::max_listen_connections, failed);
  if (!failed) bound = acceptor.local_endpoint(failed);
  if (failed) return error("{}:{}: cannot listen: {}", options.address, options.port, failed.message());
  return {};
}

asio::awaitable<void> HttpServer::State::accept_loop() {
  while (acceptor.is_open()) {
    error_code failed;
    Tcp::socket socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, failed));
    if (failed == asio::error::operation_aborted || !acceptor.is_open()) co_return;
    if (failed) {
      // Out of descriptors, mostly: some will be given back.
      asio::steady_timer pause(io, std::chrono::milliseconds(100));
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, failed));
      continue;
    }
    if (host.connections.size() >= options.limits.max_connections) {
      // The buffer of a new socket is empty, so this does not wait.
      constexpr std::string_view kFull =
          "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
      if (!tls) socket.write_some(asio::buffer(kFull), failed);
      continue;
    }
    asio::co_spawn(io, serve_connection(host, std::move(socket), tls ? &*tls : nullptr), asio::detached);
  }
}

void HttpServer::State::wait_for_signal() {
  signals.async_wait([this](error_code failed, int) {
    if (failed) return;
    wait_for_signal();  // first: a stop with nothing left to wait for ends this wait, too
    stop();
  });
}

void HttpServer::State::stop() {
  ++n_stops;
  error_code ignored;
  acceptor.close(ignored);
  app.drain();
  host.is_draining = true;
  const auto how = n_stops == 1 ? ConnectionHost::Stop::kSoft : ConnectionHost::Stop::kHard;
  // A connection that closes leaves the list, but only after this loop: its coroutine runs later on this thread.
  for (const auto& tell : host.connections) tell(how);
  if (n_stops == 1)
    watch_drain(std::chrono::steady_clock::now() +
                std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::duration<double>(options.limits.drain_s)));
}

void HttpServer::State::watch_drain(std::chrono::steady_clock::time_point deadline) {
  if (host.connections.empty()) {
    signals.cancel();
    return;  // nothing is left to do, so run() returns
  }
  if (std::chrono::steady_clock::now() >= deadline) {
    for (const auto& tell : host.connections) tell(ConnectionHost::Stop::kHard);
    deadline = std::chrono::steady_clock::time_point::max();
  }
  drain_timer.expires_after(std::chrono::milliseconds(20));
  drain_timer.async_wait([this, deadline](error_code failed) {
    if (!failed) watch_drain(deadline);
  });
}

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

HttpServer::~HttpServer() {
  // Coroutines that never ended die with the io_context; their handlers may still run on the pool.
  state_->workers.join();
}

Result<std::unique_ptr<HttpServer>> HttpServer::create(HttpServerOptions options, App& app) {
  auto state = std::make_unique<State>(std::move(options), app);
  allow_descriptors(state->options.limits.max_connections);
  TRY(state->load_tls());
  TRY(state->listen());
  // Before anyone is told the address: a signal that comes ahead of run() waits for it.
  if (state->options.handles_signals) {
    state->signals.add(SIGTERM);
    state->signals.add(SIGINT);
  }
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

uint16_t HttpServer::port() const { return state_->bound.port(); }

std::string HttpServer::url() const {
  const Tcp::endpoint& endpoint = state_->bound;
  const bool is_v6 = endpoint.address().is_v6();
  return fmt::format("{}://{}{}{}:{}", state_->tls ? "https" : "http", is_v6 ? "[" : "", endpoint.address().to_string(),
                     is_v6 ? "]" : "", endpoint.port());
}

void HttpServer::run() {
  State& s = *state_;
  if (s.options.handles_signals) s.wait_for_signal();
  asio::co_spawn(s.io, s.accept_loop(), asio::detached);
  s.io.run();
}

void HttpServer::stop() {
  asio::post(state_->io, [this] { state_->stop(); });
}

}  // namespace minke::server
