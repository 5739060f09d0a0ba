// The server with the page's real services and a model that repeats what it is told, for tests/page/whole/privacy.sh. Prints
// its address and serves until SIGTERM.
#include <cstdio>

#include "page/services.h"
#include "server/app.h"
#include "server/net/http_server.h"
#include "server/scripted/scripted_backend.h"

namespace {

using namespace minke::server;

minke::testing::Script echo(const ChatRequest& request, int) {
  minke::testing::Script script;
  script.tokens = minke::testing::words(request.messages.empty() ? request.prompt : request.messages.back().content);
  return script;
}

int fail(const std::string& message) {
  std::fprintf(stderr, "page_server: %s\n", message.c_str());
  return 1;
}

}  // namespace

int main() {
  const auto places = minke::page::default_places();
  if (!places) return fail(places.error().message);
  minke::page::ServicesOptions own;
  own.places = *places;
  const auto services = minke::page::make_services(std::move(own));
  minke::testing::ScriptedBackend backend(echo, true);
  auto app = App::create({.version = "0.1.0"}, {}, backend, services.get());
  if (!app) return fail(app.error().message);
  HttpServerOptions options;
  options.handles_signals = true;
  auto server = HttpServer::create(options, **app);
  if (!server) return fail(server.error().message);
  std::printf("%s\n", (*server)->url().c_str());
  std::fflush(stdout);
  (*server)->run();
  return 0;
}
