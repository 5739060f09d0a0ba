// A server whose model is a script, for real clients: prints its address and serves until SIGTERM.
// What is asked decides what is said: "think", "call", "json", "slow", "fail" in the last message.
#include <cstdio>

#include "server/app.h"
#include "server/net/http_server.h"
#include "server/scripted/scripted_backend.h"

namespace {

using namespace minke::server;
using minke::testing::Script;
using minke::testing::words;

Script script_of(const ChatRequest& request, int) {
  const std::string text = request.messages.empty() ? request.prompt : request.messages.back().content;
  const auto asks_for = [&](const char* word) { return text.find(word) != std::string::npos; };
  Script script;
  if (request.thinking.enabled.value_or(asks_for("think"))) {
    script.starts_in_thought = true;
    script.tokens = words("first I think");
    script.tokens.push_back({PieceKind::kThoughtEnd});
  }
  if (!request.tools.empty() && asks_for("call")) {
    script.tokens.push_back({PieceKind::kToolBegin});
    script.tokens.push_back(
        {PieceKind::kText, R"({"name": ")" + request.tools[0].name + R"(", "arguments": {"city": "서울"}})"});
    script.tokens.push_back({PieceKind::kToolEnd});
    return script;
  }
  const bool wants_json = request.format.kind != FormatKind::kText;
  for (auto& token : words(wants_json ? R"({"city": "서울"})" : "안녕하세요, this is the answer."))
    script.tokens.push_back(token);
  if (asks_for("fail")) script.failure = ApiError{ErrorKind::kInternal, "it failed half-way"};
  if (asks_for("slow")) {
    script.repeats = 10'000;
    script.token_delay = std::chrono::milliseconds(5);
  }
  return script;
}

}  // namespace

int main() {
  minke::testing::ScriptedBackend backend(script_of, true);
  GateOptions gate;
  gate.keys = {{"test", "sk-minke-test-key-0"}};
  auto app = App::create({.version = "0.1.0"}, gate, backend, nullptr);
  if (!app) return std::fprintf(stderr, "%s\n", app.error().message.c_str()), 1;
  HttpServerOptions options;
  options.handles_signals = true;
  auto server = HttpServer::create(options, **app);
  if (!server) return std::fprintf(stderr, "%s\n", server.error().message.c_str()), 1;
  std::printf("%s\n", (*server)->url().c_str());
  std::fflush(stdout);
  (*server)->run();
  return 0;
}
