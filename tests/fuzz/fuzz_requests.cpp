// The first byte chooses a route, the rest is the body: no crash, no leak, no hang, and a reply of some kind.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "server/app.h"
#include "server/generation.h"
#include "server/scripted/scripted_backend.h"

namespace {

using namespace minke::server;
using minke::testing::Script;

Script script_of(const ChatRequest& request, int) {
  Script script;
  script.starts_in_thought = true;
  script.tokens = minke::testing::words("a thought");
  script.tokens.push_back({PieceKind::kThoughtEnd});
  for (auto& token : minke::testing::words("an answer with \xED\x95\x9C and more")) script.tokens.push_back(token);
  if (!request.tools.empty()) {
    script.tokens.push_back({PieceKind::kToolBegin});
    script.tokens.push_back({PieceKind::kText, R"({"name": "f", "arguments": {"a": 1}})"});
    script.tokens.push_back({PieceKind::kToolEnd});
  }
  return script;
}

struct Service {
  minke::testing::ScriptedBackend backend{script_of, false};
  std::unique_ptr<App> app = std::move(*App::create({}, {}, backend, nullptr));
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  // A backend keeps its requests; a fresh one now and then keeps the memory flat.
  static std::unique_ptr<Service> service;
  static int n_runs = 0;
  if (n_runs++ % 1000 == 0) service = std::make_unique<Service>();
  const auto routes = service->app->routes();
  const Route& route = routes[data[0] % routes.size()];
  HttpRequest request;
  request.method = route.method;
  request.path = route.pattern;
  request.headers = {{"host", "localhost"}, {"x-minke", "1"}};
  request.body.assign(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (service->app->admit(request)) std::abort();
  HttpReply reply = service->app->handle(request);
  if (const auto generation = reply.generation) {
    std::string body;
    if (!generation->pump(body)) std::abort();
    const bool streams = generation->streams() && !generation->early_failure();
    generation->end(body);
    if (!streams) reply = generation->streams() ? *generation->early_failure() : generation->finish();
  }
  if (reply.status < 200 || reply.status > 599) std::abort();
  return 0;
}
