// An App over a script, called without sockets, and replies of every dialect read back into one form.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "server/app.h"
#include "server/scripted/scripted_backend.h"

namespace minke::testing {

struct Answer {
  int status = 0;
  std::string type;
  std::string body;
  std::map<std::string, std::string> headers;
};

using Headers = std::vector<std::pair<std::string, std::string>>;

class Harness {
 public:
  explicit Harness(ScriptedBackend::Choose choose, ServiceOptions options = {}, GateOptions gate = {},
                   PageServices* services = nullptr, bool threaded = false);
  Answer call(const std::string& method, const std::string& target, const std::string& body = "", Headers headers = {});
  Answer post(const std::string& target, const Json& body, Headers headers = {});
  // Runs a reply to its end.
  static Answer run(App& app, HttpRequest& request, HttpReply reply);

  ScriptedBackend backend;
  std::unique_ptr<App> app;
};

// What a client has of one choice.
struct ClientChoice {
  std::string content, reasoning, finish;
  std::vector<std::pair<std::string, std::string>> calls;  // name, arguments
  std::vector<std::string> content_tokens, reasoning_tokens;
  bool operator==(const ClientChoice&) const = default;
};
void PrintTo(const ClientChoice& choice, std::ostream* out);

enum class Api { kOpenAi, kResponses, kAnthropic, kOllama };

// The data of each event; checks that the stream has its form and ends as it should.
std::vector<Json> sse_events(const std::string& body);
std::vector<ClientChoice> read_reply(Api api, bool streamed, const std::string& body);

}  // namespace minke::testing
