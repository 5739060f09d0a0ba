// Shapes of requests and replies, and what is refused by name.
#include <nlohmann/json.hpp>

#include "server/app_harness.h"
#include "server/fake_services.h"
#include "support/support.h"

namespace minke::testing {
namespace {

Script thinker(const ChatRequest& request, int) {
  Script script;
  if (request.thinking.enabled.value_or(true) && request.kind == RequestKind::kChat) {
    script.starts_in_thought = true;
    script.tokens = words("a thought");
    script.tokens.push_back({PieceKind::kThoughtEnd});
  }
  for (auto& token : words("an answer")) script.tokens.push_back(token);
  return script;
}

Script caller(const ChatRequest&, int) {
  Script script;
  script.starts_in_thought = true;
  script.tokens = {{PieceKind::kText, "hm"},
                   {PieceKind::kThoughtEnd},
                   {PieceKind::kToolBegin},
                   {PieceKind::kText, R"({"name": "f", "arguments": {}})"},
                   {PieceKind::kToolEnd}};
  return script;
}

Json parsed(const Answer& answer) { return value_of(parse_json(answer.body, "body")); }

Json chat_with(const std::string& more = "") {
  return Json::parse(R"({"messages": [{"role": "user", "content": "hi"}])" + (more.empty() ? "" : ", " + more) + "}");
}

const std::string kToolList = R"("tools": [{"type": "function", "function": {"name": "f"}}])";

TEST(OpenAi, TheReplyHasTheNamesOfOpenAiAndDeepSeek) {
  Harness harness(thinker);
  const Json body = parsed(harness.post("/v1/chat/completions", chat_with()));
  EXPECT_EQ(body["object"], "chat.completion");
  EXPECT_EQ(body["model"], "script");
  EXPECT_EQ(body["choices"][0]["message"]["reasoning_content"], "a thought");
  EXPECT_EQ(body["choices"][0]["message"]["content"], "an answer");
  EXPECT_EQ(body["choices"][0]["logprobs"], nullptr);
  const Json& usage = body["usage"];
  EXPECT_EQ(usage["prompt_tokens"], 10);
  EXPECT_EQ(usage["prompt_cache_hit_tokens"], 4);
  EXPECT_EQ(usage["prompt_cache_miss_tokens"], 6);
  EXPECT_EQ(usage["prompt_tokens_details"]["cached_tokens"], 4);
  EXPECT_EQ(usage["completion_tokens"], 5);
  EXPECT_EQ(usage["completion_tokens_details"]["reasoning_tokens"], 3);
  EXPECT_EQ(usage["total_tokens"], 15);
  EXPECT_EQ(body["minke"]["thinking_end"], "finished");
  EXPECT_DOUBLE_EQ(body["minke"]["tokens_per_s"], 5 / 1.5);
}

TEST(OpenAi, AStreamBeginsWithTheRoleAndEndsWithTheUsage) {
  Harness harness(thinker);
  const Answer answer =
      harness.post("/v1/chat/completions", chat_with(R"("stream": true, "stream_options": {"include_usage": true})"));
  EXPECT_EQ(answer.type, "text/event-stream; charset=utf-8");
  const auto events = sse_events(answer.body);
  EXPECT_EQ(events[0]["choices"][0]["delta"], Json::parse(R"({"role": "assistant", "content": ""})"));
  EXPECT_EQ(events[0]["minke"]["request"].get<std::string>().size(), 32u);
  EXPECT_EQ(events[0]["usage"], nullptr);
  const Json& last = events[events.size() - 2];
  EXPECT_TRUE(last["choices"].empty());
  EXPECT_EQ(last["usage"]["total_tokens"], 15);
  EXPECT_EQ(last["minke"]["thinking_end"], "finished");
  for (size_t i = 0; i + 1 < events.size(); ++i) {
    EXPECT_EQ(events[i]["id"], events[0]["id"]);
    const Json delta = events[i]["choices"].empty() ? Json::object() : events[i]["choices"][0]["delta"];
    EXPECT_FALSE(delta.contains("content") && delta.contains("reasoning_content"));
  }
  const auto plain = sse_events(harness.post("/v1/chat/completions", chat_with(R"("stream": true)")).body);
  EXPECT_FALSE(plain[plain.size() - 2].contains("usage"));
}

TEST(OpenAi, ErrorsInAStreamAreEventsAndBeforeItStatuses) {
  const auto failing = [](const ChatRequest&, int) {
    Script script{.tokens = words("some text")};
    script.failure = ApiError{ErrorKind::kInternal, "out of pages"};
    return script;
  };
  Harness harness(failing);
  const auto events = sse_events(harness.post("/v1/chat/completions", chat_with(R"("stream": true)")).body);
  EXPECT_EQ(events[events.size() - 2]["error"]["message"], "out of pages");
  EXPECT_EQ(events.back(), "[DONE]");
  const Answer whole = harness.post("/v1/chat/completions", chat_with());
  EXPECT_EQ(whole.status, 500);
  EXPECT_EQ(parsed(whole)["error"]["type"], "server_error");
}

TEST(OpenAi, WhatABackendRefusesHasItsStatus) {
  const auto refusing = [](const ChatRequest& request, int) {
    Script script;
    script.refusal =
        ApiError{ErrorKind::kInvalid, "the prompt has 5000 tokens, the context 4096", "messages", "context_length_exceeded"};
    if (request.messages[0].content == "full")
      script.refusal = ApiError{ErrorKind::kOverloaded, "the queue is full", {}, {}, 3};
    return script;
  };
  Harness harness(refusing);
  const Answer answer = harness.post("/v1/chat/completions", chat_with(R"("stream": true)"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(parsed(answer)["error"]["code"], "context_length_exceeded");
  EXPECT_EQ(parsed(answer)["error"]["param"], "messages");
  const Json full = Json::parse(R"({"max_tokens": 5, "messages": [{"role": "user", "content": "full"}]})");
  const Answer busy = harness.post("/v1/chat/completions", full);
  EXPECT_EQ(busy.status, 503);
  EXPECT_EQ(busy.headers.at("Retry-After"), "3");
  EXPECT_EQ(harness.post("/v1/messages", full).status, 529);
  EXPECT_EQ(parsed(harness.post("/v1/messages", full))["error"]["type"], "overloaded_error");
  EXPECT_EQ(parsed(harness.post("/api/chat", Json::parse(R"({"messages": [{"role": "user", "content": "full"}]})")))["error"],
            "the queue is full");
}

// Each field with a value that must be refused, and the field that the error names.
TEST(OpenAi, RefusesFieldsByName) {
  Harness harness(thinker);
  const std::pair<const char*, const char*> rows[] = {
      {R"("temperature": 2.1)", "temperature"},
      {R"("temperature": "hot")", "temperature"},
      {R"("temperature": -1)", "temperature"},
      {R"("top_p": 1e308)", "top_p"},
      {R"("n": 0)", "n"},
      {R"("n": 17)", "n"},
      {R"("n": 1.5)", "n"},
      {R"("max_tokens": -1)", "max_tokens"},
      {R"("max_tokens": 0)", "max_tokens"},
      {R"("max_tokens": 99999999999999999999)", "max_tokens"},
      {R"("max_tokens": 5, "max_completion_tokens": 6)", "max_completion_tokens"},
      {R"("stop": ["a", 1])", "stop"},
      {R"("stop": "")", "stop"},
      {R"("top_logprobs": 3)", "top_logprobs"},
      {R"("logprobs": true, "top_logprobs": 21)", "top_logprobs"},
      {R"("reasoning_effort": "huge")", "reasoning_effort"},
      {R"("thinking": {"type": "maybe"})", "thinking.type"},
      {R"("thinking": {})", "thinking.type"},
      {R"("thinking": {"type": "enabled", "budget_token": 5})", "thinking.budget_token"},
      {R"("thinking": {"type": "enabled"}, "reasoning_effort": "none")", "reasoning_effort"},
      {R"("thinking": {"type": "disabled"}, "minke": {"thinking": {"enabled": true}})", "minke.thinking.enabled"},
      {R"("chat_template_kwargs": {"enable_thinking": false, "thinking": true})", "chat_template_kwargs.thinking"},
      {R"("response_format": {"type": "xml"})", "response_format.type"},
      {R"("response_format": {"type": "json_schema"})", "response_format.json_schema"},
      {R"("tool_choice": "required")", "tool_choice"},
      {R"("tools": [{"type": "web"}])", "tools[0].type"},
      {R"("tools": [{"type": "function", "function": {"name": "a b"}}])", "tools[0].function.name"},
      {R"("tools": [{"type": "function", "function": {"name": "f"}}, {"type": "function", "function": {"name": "f"}}])",
       "tools"},
      {R"("modalities": ["text", "audio"])", "modalities"},
      {R"("audio": {"voice": "x"})", "audio"},
      {R"("web_search_options": {"a": 1})", "web_search_options"},
      {R"("functions": [{}])", "functions"},
      {R"("logit_bias": {"x": 1})", "logit_bias"},
      {R"("logit_bias": {"5": 101})", "logit_bias"},
      {R"("frobnicate": 1)", "frobnicate"},
      {R"("minke": {"language_lock": "zh"})", "minke.language_lock"},
      {R"("minke": {"budget": 5})", "minke.budget"},
      {R"("stream": "yes")", "stream"},
  };
  for (const auto& [field, param] : rows) {
    const Answer answer = harness.post("/v1/chat/completions", chat_with(field));
    EXPECT_EQ(answer.status, 400) << field << answer.body;
    EXPECT_EQ(parsed(answer)["error"]["param"], param) << field << answer.body;
  }
  const std::pair<const char*, const char*> messages[] = {
      {"[]", "messages"},
      {"5", "messages"},
      {R"([{"content": "x"}])", "messages[0].role"},
      {R"([{"role": "wizard", "content": "x"}])", "messages[0].role"},
      {R"([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}])", "messages[0].content[0].type"},
      {R"([{"role": "tool", "content": "x"}])", "messages[0].tool_call_id"},
      {R"([{"role": "assistant", "content": "x", "prefix": true}, {"role": "user", "content": "y"}])", "messages[0].prefix"},
      {R"([{"role": "user", "content": {"text": "x"}}])", "messages[0].content"},
      {R"([{"role": "user", "content": "x", "color": 1}])", "messages[0].color"},
  };
  for (const auto& [text, param] : messages) {
    const Answer answer = harness.call("POST", "/v1/chat/completions", fmt::format(R"({{"messages": {}}})", text));
    EXPECT_EQ(answer.status, 400) << text;
    EXPECT_EQ(parsed(answer)["error"]["param"], param) << answer.body;
  }
  EXPECT_EQ(harness.backend.n_tokens_put(), 0);
}

TEST(OpenAi, TakesWhatChangesNothing) {
  Harness harness(thinker);
  const Answer answer = harness.post("/v1/chat/completions",
                                     chat_with(R"("user": "me", "metadata": {"a": "b"}, "store": false, "service_tier": "auto",
      "modalities": ["text"], "tools": [], "n": 1.0, "stop": null, "logit_bias": {}, "audio": null, "functions": [], "seed": -5)"));
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(harness.backend.last_request().sampling.seed, static_cast<uint64_t>(-5));
}

TEST(OpenAi, NeverQuotesAPromptInAnError) {
  Harness harness(thinker);
  const std::string secret(500, 's');
  const Answer answer =
      harness.call("POST", "/v1/chat/completions", R"({"messages": [{"role": ")" + secret + R"(", "content": "x"}]})");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body.find(secret.substr(0, 60)), std::string::npos);
}

TEST(OpenAi, BodiesThatAreNoJsonAreRefused) {
  Harness harness(thinker);
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "[";
  for (const std::string& body :
       {std::string(), std::string("{"), std::string("[]"), std::string("null"), std::string("{\"a\": 1, \"a\": 2}"), deep,
        std::string("\xFF\xFE"), std::string("{\"messages\": NaN}")})
    EXPECT_EQ(harness.call("POST", "/v1/chat/completions", body).status, 400) << body;
}

TEST(OpenAi, ModelsAreNamedHonestly) {
  Harness harness(thinker);
  const Answer unknown = harness.post("/v1/chat/completions", chat_with(R"("model": "gpt-4o")"));
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(parsed(unknown)["error"]["code"], "model_not_found");
  const Json chat = parsed(harness.post("/v1/chat/completions", chat_with(R"("model": "deepseek-chat")")));
  EXPECT_EQ(chat["model"], "script");
  EXPECT_FALSE(chat["choices"][0]["message"].contains("reasoning_content"));
  EXPECT_TRUE(
      parsed(harness.post("/v1/chat/completions", chat_with(R"("model": "deepseek-reasoner")")))["choices"][0]["message"]
          .contains("reasoning_content"));
  EXPECT_EQ(harness.post("/v1/chat/completions", chat_with(R"("model": "plain", "reasoning_effort": "high")")).status, 400);
  EXPECT_EQ(harness.post("/v1/chat/completions", chat_with(R"("model": "plain", )" + kToolList)).status, 400);
  const Json models = parsed(harness.call("GET", "/v1/models"));
  EXPECT_EQ(models["object"], "list");
  EXPECT_EQ(models["data"][0]["id"], "script");
  EXPECT_EQ(models["data"][0]["object"], "model");
  EXPECT_EQ(models["data"][0]["created_at"], "2025-01-20T00:00:00Z");
  EXPECT_EQ(models["data"][0]["minke"]["can_think"], true);
  EXPECT_EQ(parsed(harness.call("GET", "/v1/models/script"))["id"], "script");
  EXPECT_EQ(harness.call("GET", "/v1/models/org%2Fother").status, 404);
}

TEST(OpenAi, EffortsFollowTheTable) {
  Harness harness(thinker);
  const std::pair<const char*, Effort> rows[] = {{"minimal", Effort::kLow}, {"low", Effort::kLow},    {"medium", Effort::kHigh},
                                                 {"high", Effort::kHigh},   {"xhigh", Effort::kHigh}, {"max", Effort::kMax},
                                                 {"ultra", Effort::kMax}};
  for (const auto& [name, effort] : rows) {
    harness.post("/v1/chat/completions", chat_with(fmt::format(R"("reasoning_effort": "{}")", name)));
    EXPECT_EQ(harness.backend.last_request().thinking.effort, effort) << name;
  }
  harness.post("/v1/chat/completions", chat_with(R"("reasoning_effort": "none")"));
  EXPECT_EQ(harness.backend.last_request().thinking.enabled, false);
}

TEST(OpenAi, CompletionsTakeManyPromptsAndFillIn) {
  Harness harness([](const ChatRequest& request, int choice) {
    return Script{.tokens = words(fmt::format("{}-{}", request.prompt, choice))};
  });
  const Json body = parsed(harness.post("/v1/completions", Json::parse(R"({"prompt": ["a", "b"], "n": 2, "logprobs": 1})")));
  ASSERT_EQ(body["choices"].size(), 4u);
  EXPECT_EQ(body["choices"][3]["text"], "b-1");
  EXPECT_EQ(body["choices"][3]["index"], 3);
  EXPECT_EQ(body["choices"][3]["logprobs"]["text_offset"], Json::array({0}));
  EXPECT_EQ(body["usage"]["prompt_tokens"], 20);
  EXPECT_EQ(harness.backend.last_request().max_tokens, 16);
  const auto events =
      sse_events(harness.post("/v1/completions", Json::parse(R"({"prompt": ["a", "b"], "stream": true})")).body);
  EXPECT_EQ(events[0]["choices"][0]["text"], "a-0");
  EXPECT_EQ(events.back(), "[DONE]");
  harness.post("/beta/completions", Json::parse(R"({"prompt": "def f(", "suffix": "return"})"));
  EXPECT_EQ(harness.backend.last_request().kind, RequestKind::kFillInMiddle);
  EXPECT_EQ(harness.post("/v1/completions", Json::parse(R"({"model": "plain", "prompt": "a", "suffix": "b"})")).status, 400);
  EXPECT_EQ(harness.post("/v1/completions", Json::parse(R"({"prompt": [1, 2, 3]})")).status, 200);
  EXPECT_EQ(harness.backend.last_request().prompt_tokens, (std::vector<int32_t>{1, 2, 3}));
  for (const char* bad : {R"({"prompt": {}})", R"({"prompt": []})", R"({"prompt": [-1]})", R"({"prompt": "a", "echo": true})",
                          R"({"prompt": "a", "best_of": 2})", "{}"})
    EXPECT_EQ(harness.post("/v1/completions", Json::parse(bad)).status, 400) << bad;
}

TEST(OpenAi, EmbeddingsAndTokens) {
  Harness harness(thinker);
  const Json floats = parsed(harness.post("/v1/embeddings", Json::parse(R"({"input": ["a", "bc"]})")));
  EXPECT_EQ(floats["data"][1]["embedding"], Json::array({1.0, 0.0, -0.5}));
  EXPECT_EQ(floats["usage"]["prompt_tokens"], 3);
  const Json coded = parsed(harness.post("/v1/embeddings", Json::parse(R"({"input": "a", "encoding_format": "base64"})")));
  EXPECT_EQ(coded["data"][0]["embedding"], "AACAPwAAAAAAAAC/");
  EXPECT_EQ(harness.post("/v1/embeddings", Json::parse(R"({"input": "a", "dimensions": 5})")).status, 400);
  const Json tokens = parsed(harness.post("/tokenize", Json::parse(R"({"content": "ab", "add_special": true})")));
  EXPECT_EQ(tokens["tokens"], Json::array({1, 197, 198}));
  EXPECT_EQ(tokens["count"], 3);
  EXPECT_EQ(parsed(harness.post("/detokenize", Json::parse(R"({"tokens": [197, 198]})")))["content"], "ab");
  EXPECT_EQ(harness.post("/detokenize", Json::parse(R"({"tokens": [-1]})")).status, 400);
}

TEST(DeepSeek, LenientServerRemembersTheThoughtBehindACall) {
  Harness harness(caller);
  const Json first = parsed(harness.post("/v1/chat/completions", chat_with(kToolList)));
  const Json call = first["choices"][0]["message"]["tool_calls"][0];
  EXPECT_EQ(call["function"]["name"], "f");
  Json second = chat_with(kToolList);
  Json assistant = Json::parse(R"({"role": "assistant", "content": null})");
  assistant["tool_calls"] = Json::array({call});
  second["messages"].push_back(assistant);
  Json result = Json::parse(R"({"role": "tool", "content": "42"})");
  result["tool_call_id"] = call["id"];
  second["messages"].push_back(result);
  EXPECT_EQ(harness.post("/v1/chat/completions", second).status, 200);
  EXPECT_EQ(harness.backend.last_request().messages[1].reasoning, "hm");
}

Answer ask_profile(DeepSeekProfile profile, const std::string& messages, const std::string& more = "") {
  ServiceOptions options;
  options.deepseek = profile;
  Harness harness(thinker, options);
  return harness.call("POST", "/chat/completions", R"({"messages": )" + messages + (more.empty() ? "" : ", " + more) + "}");
}

TEST(DeepSeek, EachEraHasItsRuleForThoughts) {
  const std::string call = R"("tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}])";
  const std::string plain =
      R"([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "reasoning_content": "t"}, {"role": "user", "content": "c"}])";
  const std::string missing = R"([{"role": "user", "content": "a"}, {"role": "assistant", )" + call +
                              R"(}, {"role": "tool", "tool_call_id": "c", "content": "1"}])";
  const std::string later =
      R"([{"role": "user", "content": "a"}, {"role": "assistant", "reasoning_content": "t", )" + call +
      R"(}, {"role": "tool", "tool_call_id": "c", "content": "1"}, {"role": "assistant", "content": "done"}, {"role": "user", "content": "b"}])";
  const std::string on = R"("thinking": {"type": "enabled"})";
  EXPECT_EQ(ask_profile(DeepSeekProfile::kR1, plain).status, 400);
  EXPECT_EQ(ask_profile(DeepSeekProfile::kV32, plain, on).status, 200);
  EXPECT_EQ(ask_profile(DeepSeekProfile::kV4, plain).status, 200);
  EXPECT_EQ(ask_profile(DeepSeekProfile::kLenient, plain).status, 200);
  const Answer v32 = ask_profile(DeepSeekProfile::kV32, missing, on);
  EXPECT_EQ(v32.status, 400);
  EXPECT_NE(v32.body.find("Missing reasoning_content field in the assistant message at message index 1"), std::string::npos);
  EXPECT_EQ(ask_profile(DeepSeekProfile::kV32, missing).status, 200);
  EXPECT_EQ(ask_profile(DeepSeekProfile::kV4, missing).status, 400);
  EXPECT_EQ(ask_profile(DeepSeekProfile::kLenient, missing).status, 200);
  EXPECT_EQ(ask_profile(DeepSeekProfile::kV32, later, on).status, 200);
  const Answer v4 = ask_profile(DeepSeekProfile::kV4, later);
  EXPECT_EQ(v4.status, 400);
  EXPECT_NE(v4.body.find("must be passed back"), std::string::npos);
  EXPECT_EQ(ask_profile(DeepSeekProfile::kR1, R"([{"role": "user", "content": "a"}])", on + R"(, "logprobs": true)").status,
            400);
}

TEST(DeepSeek, StrictStreamsCarryTheUsageInTheLastChunk) {
  ServiceOptions options;
  options.deepseek = DeepSeekProfile::kV4;
  Harness harness(thinker, options);
  const auto events = sse_events(harness.post("/chat/completions", chat_with(R"("stream": true)")).body);
  const Json& last = events[events.size() - 2];
  EXPECT_EQ(last["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(last["usage"]["total_tokens"], 15);
}

TEST(DeepSeek, APrefixIsTheLastMessage) {
  Harness harness(thinker);
  const Answer answer = harness.call(
      "POST", "/beta/chat/completions",
      R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "```py", "prefix": true}]})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(harness.backend.last_request().messages[1].is_prefix);
}

TEST(Anthropic, ReadsBlocksAndCounts) {
  Harness harness(thinker);
  const Json body = Json::parse(
      R"({"model": "script", "max_tokens": 100, "system": [{"type": "text", "text": "be kind", "cache_control": {"type": "ephemeral"}}],
    "tools": [{"name": "f", "input_schema": {"type": "object"}}], "tool_choice": {"type": "any"},
    "messages": [{"role": "user", "content": "go"},
      {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": "s"}, {"type": "text", "text": "let me"}, {"type": "tool_use", "id": "u", "name": "f", "input": {"a": 1}}]},
      {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "u", "content": [{"type": "text", "text": "42"}]}, {"type": "text", "text": "and?"}]}]})");
  EXPECT_EQ(harness.post("/v1/messages", body).status, 200);
  const ChatRequest request = harness.backend.last_request();
  ASSERT_EQ(request.messages.size(), 5u);
  EXPECT_EQ(request.messages[0].role, Role::kSystem);
  EXPECT_EQ(request.messages[2].reasoning, "t");
  EXPECT_EQ(request.messages[2].tool_calls[0].arguments, "{\"a\":1}");
  EXPECT_EQ(request.messages[3].role, Role::kTool);
  EXPECT_EQ(request.messages[3].content, "42");
  EXPECT_EQ(request.messages[4].content, "and?");
  EXPECT_EQ(request.tool_choice.use, ToolUse::kRequired);
  Json count = body;
  count.erase("max_tokens");
  EXPECT_EQ(parsed(harness.post("/v1/messages/count_tokens", count))["input_tokens"], 35);
  const Answer missing = harness.post("/v1/messages", count);
  EXPECT_EQ(missing.status, 400);
  EXPECT_EQ(parsed(missing)["type"], "error");
  EXPECT_EQ(parsed(missing)["error"]["type"], "invalid_request_error");
}

TEST(Ollama, StreamsByDefaultAndEndsWithDurations) {
  Harness harness(thinker);
  const Answer answer =
      harness.call("POST", "/api/generate", R"({"model": "script", "prompt": "hi", "options": {"num_predict": 7, "seed": 1}})");
  EXPECT_EQ(answer.type, "application/x-ndjson");
  EXPECT_EQ(harness.backend.last_request().max_tokens, 7);
  const std::string last = answer.body.substr(answer.body.rfind('\n', answer.body.size() - 2) + 1);
  const Json end = value_of(parse_json(last, "line"));
  EXPECT_EQ(end["done"], true);
  EXPECT_EQ(end["prompt_eval_duration"], 250'000'000);
  EXPECT_EQ(end["eval_count"], 5);
  EXPECT_EQ(end["eval_duration"], 1'500'000'000);
  EXPECT_EQ(parsed(harness.call("POST", "/api/chat", R"({"model": "script"})"))["done_reason"], "load");
  EXPECT_EQ(parsed(harness.call("GET", "/api/tags"))["models"][0]["name"], "script:latest");
  EXPECT_EQ(parsed(harness.call("POST", "/api/show", R"({"model": "script"})"))["capabilities"][1], "tools");
  EXPECT_EQ(parsed(harness.post("/api/embed", Json::parse(R"({"model": "script", "input": "a"})")))["embeddings"][0][0], 1.0);
  for (const char* path : {"/api/pull", "/api/push", "/api/create", "/api/copy"})
    EXPECT_EQ(harness.call("POST", path, "{}").status, 501);
  for (const char* bad : {R"({"prompt": "a", "images": ["x"]})", R"({"prompt": "a", "options": {"num_ctx": 100000}})",
                          R"({"prompt": "a", "options": {"mirostat": 1}})", R"({"prompt": "a", "think": "much"})",
                          R"({"prompt": "a", "format": "xml"})", R"({"model": "plain", "prompt": "a", "think": true})"}) {
    const Answer refused = harness.call("POST", "/api/generate", bad);
    EXPECT_EQ(refused.status, 400) << bad;
    EXPECT_TRUE(parsed(refused)["error"].is_string());
  }
}

TEST(Page, AsksItsServices) {
  FakeServices services;
  Harness harness(thinker, {}, {}, &services);
  const auto asked = [&](const char* method, const char* path, const char* body = "") {
    const Answer answer = harness.call(method, path, body, {{"x-minke", "1"}});
    EXPECT_EQ(answer.status, 200) << path << answer.body;
    return parsed(answer)["asked"].get<std::string>();
  };
  EXPECT_EQ(asked("GET", "/api/minke/store"), "store_state");
  EXPECT_EQ(asked("POST", "/api/minke/store/unlock", R"({"passphrase": "p"})"), "unlock:p");
  EXPECT_EQ(asked("POST", "/api/minke/store/create", R"({"passphrase": null})"), "create:null");
  EXPECT_EQ(asked("GET", "/api/minke/conversations?query=%ED%95%9C+x&archived=true&folder=f"), "list:한 x:archived:f");
  EXPECT_EQ(asked("PATCH", "/api/minke/conversations/c1", R"({"title": "t", "folder": null, "pinned": true})"),
            "edit:c1:title=t:folder=:pinned");
  EXPECT_EQ(asked("PATCH", "/api/minke/conversations/c1", R"({"system": "s", "leaf": "7"})"), "edit:c1:system=s:leaf=7");
  EXPECT_EQ(asked("PATCH", "/api/minke/conversations/c1", R"({"system": null})"), "edit:c1:system=");
  EXPECT_EQ(asked("DELETE", "/api/minke/conversations/c1"), "delete:c1");
  EXPECT_EQ(asked("GET", "/api/minke/conversations/c1/export?format=markdown"), "export:c1:markdown");
  EXPECT_EQ(asked("PUT", "/api/minke/retention", R"({"days": null})"), "retention:null");
  EXPECT_EQ(asked("POST", "/api/minke/shred", R"({"confirm": "shred"})"), "shred");
  EXPECT_EQ(asked("GET", "/api/minke/runs/r1/log?after=7"), "log:r1:7");
  EXPECT_EQ(harness.call("POST", "/api/minke/shred", R"({"confirm": "yes"})", {{"x-minke", "1"}}).status, 400);
  EXPECT_EQ(
      harness.call("PUT", "/api/minke/settings", "{\"a\": \"" + std::string(70'000, 'x') + "\"}", {{"x-minke", "1"}}).status,
      413);
  services.locked = true;
  const Answer locked = harness.call("GET", "/api/minke/conversations");
  EXPECT_EQ(locked.status, 423);
  EXPECT_EQ(parsed(locked)["error"]["code"], "locked");
  Harness without(thinker);
  EXPECT_EQ(without.call("GET", "/api/minke/ledger").status, 501);
}

TEST(Page, KeepsTurnsAndNamesThem) {
  FakeServices services;
  Harness harness(thinker, {}, {}, &services);
  const Json ask = chat_with(
      R"("stream": true, "minke": {"conversation": "c7", "parent": "m0", "thinking": {"enabled": true, "budget": 100}, "language_lock": "ko"})");
  const auto events = sse_events(harness.post("/v1/chat/completions", ask).body);
  EXPECT_EQ(events[0]["minke"]["conversation"], "c7");
  EXPECT_EQ(events[0]["minke"]["message"], "m1");
  EXPECT_EQ(harness.backend.last_request().thinking.budget, 100);
  EXPECT_EQ(harness.backend.last_request().language_lock, "ko");
  ASSERT_EQ(services.starts.size(), 1u);
  EXPECT_EQ(services.starts[0].text, "hi");
  ASSERT_EQ(services.ends.size(), 1u);
  EXPECT_EQ(services.ends[0].content, "an answer");
  EXPECT_EQ(services.ends[0].reasoning, "a thought");
  EXPECT_EQ(services.ends[0].finish_reason, "stop");
  EXPECT_EQ(Json::parse(services.ends[0].timings_json)["thinking_end"], "finished");
  for (const char* unkept : {R"("minke": {"conversation": null, "parent": "m0", "temporary": true})",
                             R"("minke": {"thinking": {"enabled": true}})", R"("n": 1)"}) {
    EXPECT_EQ(harness.post("/v1/chat/completions", chat_with(unkept)).status, 200) << unkept;
  }
  EXPECT_EQ(services.starts.size(), 1u);
  EXPECT_EQ(harness.post("/v1/chat/completions", chat_with(R"("minke": {"parent": "m0"})")).status, 400);
  services.locked = true;
  EXPECT_EQ(harness.post("/v1/chat/completions", ask).status, 423);
}

TEST(Page, FilesAreKeptBesideWhatTheUserTyped) {
  FakeServices services;
  Harness harness(thinker, {}, {}, &services);
  const Json ask =
      Json::parse(R"({"messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "[file] hi"}],
    "minke": {"conversation": null, "text": "hi", "attachments": [{"name": "a.txt", "text": "body"}]}})");
  EXPECT_EQ(harness.post("/v1/chat/completions", ask).status, 200);
  ASSERT_EQ(services.starts.size(), 1u);
  const TurnStart& start = services.starts[0];
  EXPECT_EQ(start.text, "[file] hi");
  EXPECT_EQ(start.turn.text, "hi");
  EXPECT_EQ(start.system, "be kind");
  ASSERT_EQ(start.turn.attachments.size(), 1u);
  EXPECT_EQ(start.turn.attachments[0].text, "body");
}

TEST(Page, FilesHaveAStrictPolicyAndAreCached) {
  const StaticFile files[] = {{"/index.html", "text/html; charset=utf-8", "<!doctype html>", "e1", false},
                              {"/assets/a.js", "text/javascript", "1", "e2", true}};
  ServiceOptions options;
  options.files = files;
  GateOptions gate;
  gate.keys = {{"a", "sk-0123456789abcdef"}};
  Harness harness(thinker, options, gate);
  const Answer page = harness.call("GET", "/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.body, "<!doctype html>");
  const std::string& policy = page.headers.at("Content-Security-Policy");
  EXPECT_NE(policy.find("default-src 'none'"), std::string::npos);
  EXPECT_NE(policy.find("script-src 'self';"), std::string::npos);
  EXPECT_EQ(policy.find("http"), std::string::npos);
  // The page is tested under the policy of its mock.
  std::string mock = read_test_file(repository_path("web/mock/server.mjs"));
  constexpr std::string_view kJoint = "\" +\n  \"";
  mock.erase(mock.find(kJoint), kJoint.size());
  EXPECT_NE(mock.find("\"" + policy + "\""), std::string::npos) << policy;
  EXPECT_EQ(page.headers.at("Cache-Control"), "no-cache");
  EXPECT_EQ(page.headers.at("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(harness.call("GET", "/", "", {{"if-none-match", "\"e1\""}}).status, 304);
  EXPECT_NE(harness.call("GET", "/assets/a.js").headers.at("Cache-Control").find("immutable"), std::string::npos);
  EXPECT_EQ(harness.call("GET", "/../etc/passwd").status, 401);
  EXPECT_EQ(harness.call("GET", "/../etc/passwd", "", {{"x-api-key", "sk-0123456789abcdef"}}).status, 404);
}

TEST(Metrics, CountTokensAndNameNoUsers) {
  Harness harness(thinker);
  harness.post("/v1/chat/completions", chat_with());
  const std::string text = harness.call("GET", "/metrics").body;
  EXPECT_NE(text.find("vllm:generation_tokens_total{model_name=\"script\"} 5"), std::string::npos) << text;
  EXPECT_NE(text.find("vllm:prompt_tokens_total{model_name=\"script\"} 10"), std::string::npos);
  EXPECT_NE(text.find("vllm:num_requests_running 0"), std::string::npos);
  EXPECT_NE(text.find("minke_http_replies_total{route=\"/v1/chat/completions\",status=\"200\"} 1"), std::string::npos);
  EXPECT_EQ(text.find("127.0.0.1"), std::string::npos);
  EXPECT_NE(text.find("# TYPE minke_scripts_running gauge\nminke_scripts_running{model_name=\"script\"} 0"), std::string::npos);
  EXPECT_NE(text.find("# TYPE minke_tokens_put_total counter\nminke_tokens_put_total 5"), std::string::npos) << text;
}

}  // namespace
}  // namespace minke::testing
