// The whole service without sockets: a request in, a reply out. The connection asks admit() when the head of a request is
// there, and handle() when the body is.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "base/error.h"
#include "server/access/gate.h"
#include "server/app_state.h"
#include "server/http.h"

namespace minke::server {

class Router;

class App {
 public:
  // services may be null. Everything given outlives the app.
  static Result<std::unique_ptr<App>> create(ServiceOptions options, GateOptions gate, Backend& backend,
                                             PageServices* services);
  ~App();

  // None when the body may be read and handled. Fast; blocks never.
  std::optional<HttpReply> admit(HttpRequest& head);
  // May block as long as a prompt takes to be tokenised, or the disk to be written. Never throws.
  HttpReply handle(HttpRequest& request);
  // An error of the connection itself, such as a body that is too large, in the shape that its path asks for.
  HttpReply refuse(const HttpRequest& request, const ApiError& error) const;
  // Headers that every reply has, and the count of it.
  void finish(const HttpRequest& request, HttpReply& reply);

  // No new generations from now on; /health says so.
  void drain();
  size_t n_active() const;
  Metrics& metrics();
  std::span<const Route> routes() const;

 private:
  App(ServiceOptions options, std::unique_ptr<Gate> gate, Backend& backend, PageServices* services);
  const StaticFile* find_file(const HttpRequest& request) const;
  HttpReply send_file(const HttpRequest& request, const StaticFile& file) const;
  HttpReply preflight(const HttpRequest& request) const;

  std::unique_ptr<AppState> state_;
  std::unique_ptr<Gate> gate_;
  std::unique_ptr<Router> router_;
};

}  // namespace minke::server
