#include "server/app_harness.h"

#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>

#include "server/generation.h"
#include "support/support.h"

namespace minke::testing {

Harness::Harness(ScriptedBackend::Choose choose, ServiceOptions options, GateOptions gate, PageServices* services,
                 bool threaded)
    : backend(std::move(choose), threaded),
      app(value_of(App::create(std::move(options), std::move(gate), backend, services))) {}

Answer Harness::call(const std::string& method, const std::string& target, const std::string& body, Headers headers) {
  HttpRequest request;
  request.method = method;
  auto parsed = parse_target(target);
  EXPECT_TRUE(parsed.has_value()) << target;
  request.path = parsed->path;
  request.query = parsed->query;
  request.headers = std::move(headers);
  if (request.header("host").empty()) request.headers.emplace_back("host", "localhost:1234");
  request.body = body;
  request.peer = "127.0.0.1";
  if (auto refused = app->admit(request)) return run(*app, request, std::move(*refused));
  return run(*app, request, app->handle(request));
}

Answer Harness::post(const std::string& target, const Json& body, Headers headers) {
  return call("POST", target, dump_json(body), std::move(headers));
}

Answer Harness::run(App& app, HttpRequest& request, HttpReply reply) {
  std::string body;
  if (const auto generation = std::move(reply.generation)) {
    std::mutex mutex;
    std::condition_variable ready;
    bool rang = false;
    generation->on_ready([&] {
      std::lock_guard lock(mutex);
      rang = true;
      ready.notify_all();
    });
    while (!generation->pump(body)) {
      std::unique_lock lock(mutex);
      ready.wait(lock, [&] { return rang; });
      rang = false;
    }
    generation->on_ready({});
    const bool streams = generation->streams() && !generation->early_failure();
    generation->end(body);
    if (!streams) {
      reply = generation->streams() ? *generation->early_failure() : generation->finish();
      body.clear();
    }
  }
  app.finish(request, reply);
  Answer answer{reply.status, reply.content_type, body.empty() ? reply.body + std::string(reply.fixed_body) : body, {}};
  for (const auto& [name, value] : reply.headers) answer.headers[name] = value;
  return answer;
}

void PrintTo(const ClientChoice& choice, std::ostream* out) {
  *out << "content=" << choice.content << " reasoning=" << choice.reasoning << " finish=" << choice.finish;
  for (const auto& [name, arguments] : choice.calls) *out << " call " << name << arguments;
}

std::vector<Json> sse_events(const std::string& body) {
  std::vector<Json> out;
  std::istringstream lines(body);
  std::string line, event;
  while (std::getline(lines, line)) {
    if (line.empty() || line[0] == ':') continue;
    if (line.starts_with("event: ")) {
      event = line.substr(7);
    } else if (line == "data: [DONE]") {
      out.push_back("[DONE]");
    } else {
      EXPECT_TRUE(line.starts_with("data: ")) << line;
      out.push_back(value_of(parse_json(line.substr(6), "event")));
      if (!event.empty()) {
        EXPECT_EQ(out.back()["type"], event);
      }
      event.clear();
    }
  }
  return out;
}

namespace {

std::string text_at(const Json& object, const char* key) {
  return object.contains(key) && object[key].is_string() ? object[key].get<std::string>() : "";
}

void add_tokens(const Json& row, ClientChoice& choice) {
  if (!row.contains("logprobs") || row["logprobs"].is_null()) return;
  const Json& logprobs = row["logprobs"];
  const auto add = [&](const char* key, std::vector<std::string>& to) {
    if (!logprobs.contains(key)) return;
    for (const Json& token : logprobs[key]) to.push_back(token["token"].get<std::string>());
  };
  add("content", choice.content_tokens);
  add("reasoning_content", choice.reasoning_tokens);
}

void add_openai(const Json& row, const char* part, std::vector<ClientChoice>& out) {
  const auto index = row["index"].get<size_t>();
  if (out.size() <= index) out.resize(index + 1);
  ClientChoice& choice = out[index];
  const Json& delta = row[part];
  choice.content += text_at(delta, "content");
  choice.reasoning += text_at(delta, "reasoning_content");
  if (delta.contains("tool_calls")) {
    for (const Json& call : delta["tool_calls"]) {
      const auto at = call["index"].get<size_t>();
      if (choice.calls.size() <= at) choice.calls.resize(at + 1);
      choice.calls[at].first += text_at(call["function"], "name");
      choice.calls[at].second += text_at(call["function"], "arguments");
    }
  }
  add_tokens(row, choice);
  if (!row["finish_reason"].is_null()) {
    EXPECT_EQ(choice.finish, "");
    choice.finish = row["finish_reason"];
  }
}

std::vector<ClientChoice> read_openai(bool streamed, const std::string& body) {
  std::vector<ClientChoice> out;
  if (!streamed) {
    const Json whole = value_of(parse_json(body, "body"));
    for (const Json& row : whole["choices"]) add_openai(row, "message", out);
    return out;
  }
  const auto events = sse_events(body);
  EXPECT_EQ(events.back(), "[DONE]");
  for (const Json& event : events) {
    if (!event.is_object()) continue;
    for (const Json& row : event["choices"]) add_openai(row, "delta", out);
  }
  return out;
}

std::vector<ClientChoice> read_anthropic(bool streamed, const std::string& body) {
  ClientChoice out;
  if (!streamed) {
    const Json message = value_of(parse_json(body, "body"));
    for (const Json& block : message["content"]) {
      out.content += text_at(block, "text");
      out.reasoning += text_at(block, "thinking");
      if (block["type"] == "tool_use") out.calls.emplace_back(block["name"], dump_json(block["input"]));
      if (block["type"] == "thinking") {
        EXPECT_EQ(block["signature"].get<std::string>().size(), 64u);
      }
    }
    out.finish = message["stop_reason"];
    return {out};
  }
  const auto events = sse_events(body);
  EXPECT_EQ(events.front()["type"], "message_start");
  EXPECT_EQ(events.back()["type"], "message_stop");
  int open = -1;
  for (const Json& event : events) {
    if (event["type"] == "content_block_start") {
      EXPECT_EQ(open, -1);
      open = event["index"];
      if (event["content_block"]["type"] == "tool_use") out.calls.emplace_back(event["content_block"]["name"], "");
    } else if (event["type"] == "content_block_delta") {
      EXPECT_EQ(open, event["index"].get<int>());
      const Json& delta = event["delta"];
      out.content += text_at(delta, "text");
      out.reasoning += text_at(delta, "thinking");
      if (delta.contains("partial_json")) out.calls.back().second += text_at(delta, "partial_json");
    } else if (event["type"] == "content_block_stop") {
      open = -1;
    } else if (event["type"] == "message_delta") {
      out.finish = event["delta"]["stop_reason"];
    }
  }
  return {out};
}

void add_ollama(const Json& row, ClientChoice& out) {
  const Json& message = row["message"];
  out.content += text_at(message, "content");
  out.reasoning += text_at(message, "thinking");
  if (message.contains("tool_calls")) {
    for (const Json& call : message["tool_calls"])
      out.calls.emplace_back(call["function"]["name"], dump_json(call["function"]["arguments"]));
  }
  if (row["done"] == true) out.finish = row["done_reason"];
}

std::vector<ClientChoice> read_ollama(const std::string& body) {
  ClientChoice out;
  std::istringstream lines(body);
  std::string line;
  while (std::getline(lines, line)) add_ollama(value_of(parse_json(line, "line")), out);
  return {out};
}

std::vector<ClientChoice> read_responses(bool streamed, const std::string& body) {
  Json response = streamed ? sse_events(body).back()["response"] : value_of(parse_json(body, "body"));
  ClientChoice out;
  for (const Json& item : response["output"]) {
    if (item["type"] == "message") out.content += text_at(item["content"][0], "text");
    if (item["type"] == "reasoning") out.reasoning += text_at(item["content"][0], "text");
    if (item["type"] == "function_call") out.calls.emplace_back(item["name"], item["arguments"]);
  }
  out.finish = response["status"];
  if (!streamed) return {out};
  // What the deltas say is what the whole says.
  ClientChoice grown;
  grown.finish = out.finish;
  int64_t number = 0;
  for (const Json& event : sse_events(body)) {
    EXPECT_EQ(event["sequence_number"], number++);
    const std::string type = event["type"];
    if (type == "response.output_text.delta") grown.content += text_at(event, "delta");
    if (type == "response.reasoning_text.delta") grown.reasoning += text_at(event, "delta");
    if (type == "response.output_item.added" && event["item"]["type"] == "function_call")
      grown.calls.emplace_back(event["item"]["name"], "");
    if (type == "response.function_call_arguments.delta") grown.calls.back().second += text_at(event, "delta");
  }
  EXPECT_EQ(grown, out);
  return {out};
}

}  // namespace

std::vector<ClientChoice> read_reply(Api api, bool streamed, const std::string& body) {
  switch (api) {
    case Api::kOpenAi:
      return read_openai(streamed, body);
    case Api::kResponses:
      return read_responses(streamed, body);
    case Api::kAnthropic:
      return read_anthropic(streamed, body);
    case Api::kOllama:
      return read_ollama(body);
  }
  return {};
}

}  // namespace minke::testing
