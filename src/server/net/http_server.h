// The sockets of an App: listens, speaks HTTP/1.1 with or without TLS, and moves the bytes of replies. One thread runs all
// connections; requests are handled on a pool of a few, because they may wait for the disk.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"

namespace minke::server {

class App;

struct HttpLimits {
  size_t max_header_bytes = 16 << 10;
  size_t max_body_bytes = 16 << 20;
  size_t max_connections = 4096;
  // Deadlines for the whole of each part, so that a client that sends a byte now and then wins nothing.
  double header_s = 10;
  double body_s = 60;
  double idle_s = 75;        // between the requests of a connection
  double write_s = 60;       // for each piece of a reply, at most max_queued_bytes and one file
  double keep_alive_s = 10;  // of silence in a stream, then a comment is sent
  double drain_s = 30;       // that replies may take after a stop was asked for
};

struct TlsFiles {
  std::string certificate_chain;  // PEM
  std::string private_key;
};

struct HttpServerOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;  // 0: any that is free
  HttpLimits limits = {};
  TlsFiles tls = {};             // empty names: no TLS
  bool handles_signals = false;  // SIGTERM and SIGINT stop it; a second one at once
  int n_workers = 2;
};

class HttpServer {
 public:
  // Listens from now on. The app outlives the server.
  static Result<std::unique_ptr<HttpServer>> create(HttpServerOptions options, App& app);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  uint16_t port() const;
  std::string url() const;
  // Serves until it is stopped. Call once.
  void run();
  // From any thread: no new connections and requests; run() returns when the replies are out, or after drain_s. Again: at once.
  void stop();

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace minke::server
