// {how the thought stands} x {stream, not} x {text, json_object, json_schema, tools, n, stop, logprobs} x {dialects} x {cuts}:
// every cell gives the client the same thought, answer and calls, and nothing of one in another.
#include <nlohmann/json.hpp>

#include "server/app_harness.h"
#include "support/support.h"

namespace minke::testing {
namespace {

enum class Thought { kOff, kPromptOpens, kModelOpens, kEmpty, kNeverEnds };
enum class Kind { kText, kJsonObject, kJsonSchema, kTools, kTwo, kStop, kLogprobs };

constexpr Thought kThoughts[] = {Thought::kOff, Thought::kPromptOpens, Thought::kModelOpens, Thought::kEmpty,
                                 Thought::kNeverEnds};
constexpr Kind kKinds[] = {Kind::kText, Kind::kJsonObject, Kind::kJsonSchema, Kind::kTools,
                           Kind::kTwo,  Kind::kStop,       Kind::kLogprobs};

// Marks as plain characters belong to the text that they stand in.
constexpr const char* kThoughtText = "CANARY </think> is <tool_call> text\n\nhere, 생각";

std::vector<ScriptToken> answer_tokens(Kind kind, int choice) {
  switch (kind) {
    case Kind::kJsonObject:
    case Kind::kJsonSchema:
      return words("{\"city\": \"서울\", \"n\": [1, 2]}");
    case Kind::kTools: {
      std::vector<ScriptToken> out = words("Let me look.");
      for (const char* city : {"서울", "부산"}) {
        out.push_back({PieceKind::kText, "\n"});
        out.push_back({PieceKind::kToolBegin});
        for (auto& token : words(std::string("{\"name\": \"weather\", \"arguments\": {\"city\": \"") + city + "\"}}"))
          out.push_back(token);
        out.push_back({PieceKind::kToolEnd});
      }
      return out;
    }
    case Kind::kStop:
      return words("one two STO P STOP three");
    case Kind::kTwo:
      return words(choice == 0 ? "first 첫째" : "second 둘째");
    default:
      return words("Hello 세계, <think> is text: \"\\ 🐳");
  }
}

Script script_of(Thought thought, Kind kind, int choice, size_t cut_bytes) {
  Script script;
  script.cut_bytes = cut_bytes;
  script.starts_in_thought = thought == Thought::kPromptOpens || thought == Thought::kNeverEnds;
  if (thought == Thought::kModelOpens || thought == Thought::kEmpty) script.tokens.push_back({PieceKind::kThoughtBegin});
  if (thought != Thought::kOff) {
    script.tokens.push_back({PieceKind::kText, "\n"});
    if (thought != Thought::kEmpty) {
      for (auto& token : words(kThoughtText)) script.tokens.push_back(token);
    }
    script.tokens.push_back({PieceKind::kText, "\n"});
  }
  if (thought == Thought::kNeverEnds) {
    script.finish = ChoiceFinish::kLength;
    return script;
  }
  if (thought != Thought::kOff) {
    script.tokens.push_back({PieceKind::kThoughtEnd});
    script.tokens.push_back({PieceKind::kText, "\n\n"});
  }
  for (auto& token : answer_tokens(kind, choice)) script.tokens.push_back(token);
  return script;
}

ClientChoice expected(Api api, Thought thought, Kind kind, int choice) {
  ClientChoice out;
  if (thought != Thought::kOff && thought != Thought::kEmpty) out.reasoning = kThoughtText;
  out.finish = "stop";
  if (thought == Thought::kNeverEnds) {
    out.finish = "length";
  } else if (kind == Kind::kTools) {
    // White space before a call is the model's layout of its calls; what an answer ends with is given out as it is.
    out.content = "Let me look.\n";
    out.calls = {{"weather", "{\"city\":\"서울\"}"}, {"weather", "{\"city\":\"부산\"}"}};
    out.finish = "tool_calls";
  } else if (kind == Kind::kStop) {
    out.content = "one two STO P ";
  } else {
    for (const ScriptToken& token : answer_tokens(kind, choice)) out.content += token.text;
  }
  if (kind == Kind::kLogprobs) {
    if (!out.reasoning.empty()) {
      for (const ScriptToken& token : words(kThoughtText)) out.reasoning_tokens.push_back(token.text);
    }
    if (!out.content.empty()) {
      for (const ScriptToken& token : answer_tokens(kind, choice)) out.content_tokens.push_back(token.text);
    }
  }
  const std::string openai = out.finish;
  if (api == Api::kAnthropic)
    out.finish = openai == "length"       ? "max_tokens"
                 : openai == "tool_calls" ? "tool_use"
                 : kind == Kind::kStop    ? "stop_sequence"
                                          : "end_turn";
  if (api == Api::kOllama && openai == "tool_calls") out.finish = "stop";
  if (api == Api::kResponses) out.finish = openai == "length" ? "incomplete" : "completed";
  return out;
}

const Json kSchema = Json::parse(R"({"type": "object", "properties": {"city": {"type": "string"}}})");

Json function_json(const char* parameters) {
  return Json{{"name", "weather"}, {"description", "of a city"}, {parameters, kSchema}};
}

Json openai_body(Thought thought, Kind kind, bool streamed) {
  Json body = Json::parse(R"({"model": "script", "messages": [{"role": "user", "content": "hi"}]})");
  body["stream"] = streamed;
  body["thinking"]["type"] = thought == Thought::kOff ? "disabled" : "enabled";
  if (kind == Kind::kJsonObject) body["response_format"]["type"] = "json_object";
  if (kind == Kind::kJsonSchema) {
    body["response_format"]["type"] = "json_schema";
    body["response_format"]["json_schema"]["name"] = "place";
    body["response_format"]["json_schema"]["schema"] = kSchema;
  }
  if (kind == Kind::kTools) {
    Json tool;
    tool["type"] = "function";
    tool["function"] = function_json("parameters");
    body["tools"] = Json::array({tool});
  }
  if (kind == Kind::kTwo) body["n"] = 2;
  if (kind == Kind::kStop) body["stop"] = "STOP";
  if (kind == Kind::kLogprobs) body["logprobs"] = true, body["top_logprobs"] = 2;
  return body;
}

Json anthropic_body(Thought thought, Kind kind, bool streamed) {
  Json body = Json::parse(R"({"model": "script", "max_tokens": 500, "messages": [{"role": "user", "content": "hi"}]})");
  body["stream"] = streamed;
  body["thinking"]["type"] = thought == Thought::kOff ? "disabled" : "enabled";
  if (kind == Kind::kTools) body["tools"] = Json::array({function_json("input_schema")});
  if (kind == Kind::kStop) body["stop_sequences"] = Json::array({"STOP"});
  if (kind == Kind::kJsonSchema) {
    body["output_config"]["format"]["type"] = "json_schema";
    body["output_config"]["format"]["schema"] = kSchema;
  }
  return body;
}

Json ollama_body(Thought thought, Kind kind, bool streamed) {
  Json body = Json::parse(R"({"model": "script:latest", "messages": [{"role": "user", "content": "hi"}]})");
  body["stream"] = streamed;
  body["think"] = thought != Thought::kOff;
  if (kind == Kind::kJsonObject) body["format"] = "json";
  if (kind == Kind::kJsonSchema) body["format"] = kSchema;
  if (kind == Kind::kStop) body["options"]["stop"] = Json::array({"STOP"});
  if (kind == Kind::kTools) {
    Json tool;
    tool["type"] = "function";
    tool["function"] = function_json("parameters");
    body["tools"] = Json::array({tool});
  }
  return body;
}

Json responses_body(Thought thought, Kind kind, bool streamed) {
  Json body = Json::parse(R"({"model": "script", "input": "hi"})");
  body["stream"] = streamed;
  body["reasoning"]["effort"] = thought == Thought::kOff ? "none" : "high";
  if (kind == Kind::kJsonObject) body["text"]["format"]["type"] = "json_object";
  if (kind == Kind::kJsonSchema) {
    body["text"]["format"]["type"] = "json_schema";
    body["text"]["format"]["name"] = "place";
    body["text"]["format"]["schema"] = kSchema;
  }
  if (kind == Kind::kTools) {
    body["tools"] = Json::array({function_json("parameters")});
    body["tools"][0]["type"] = "function";
  }
  return body;
}

struct Dialogue {
  Api api;
  const char* path;
  Json (*body)(Thought, Kind, bool);
  std::vector<Kind> without;
};

const std::vector<Dialogue>& dialogues() {
  static const std::vector<Dialogue> rows = {
      {Api::kOpenAi, "/v1/chat/completions", openai_body, {}},
      {Api::kAnthropic, "/v1/messages", anthropic_body, {Kind::kTwo, Kind::kLogprobs, Kind::kJsonObject}},
      {Api::kOllama, "/api/chat", ollama_body, {Kind::kTwo, Kind::kLogprobs}},
      {Api::kResponses, "/v1/responses", responses_body, {Kind::kTwo, Kind::kLogprobs, Kind::kStop}},
  };
  return rows;
}

class Matrix : public ::testing::TestWithParam<size_t> {};

TEST_P(Matrix, EveryCellGivesTheSameWithoutLeaks) {
  const Dialogue& dialogue = dialogues()[GetParam()];
  int n_cells = 0;
  for (const Thought thought : kThoughts) {
    for (const Kind kind : kKinds) {
      if (std::count(dialogue.without.begin(), dialogue.without.end(), kind) > 0) continue;
      for (const bool streamed : {false, true}) {
        for (const size_t cut_bytes : {0, 1, 2, 3, 5}) {
          Harness harness([&](const ChatRequest&, int choice) { return script_of(thought, kind, choice, cut_bytes); });
          const Answer answer = harness.post(dialogue.path, dialogue.body(thought, kind, streamed));
          SCOPED_TRACE(fmt::format("{} thought {} kind {} streamed {} cut {}", dialogue.path, static_cast<int>(thought),
                                   static_cast<int>(kind), streamed, cut_bytes));
          ASSERT_EQ(answer.status, 200) << answer.body;
          const auto choices = read_reply(dialogue.api, streamed, answer.body);
          const size_t n_choices = kind == Kind::kTwo ? 2 : 1;
          ASSERT_EQ(choices.size(), n_choices);
          for (size_t i = 0; i < n_choices; ++i) {
            EXPECT_EQ(choices[i], expected(dialogue.api, thought, kind, static_cast<int>(i)));
            EXPECT_EQ(choices[i].content.find("CANARY"), std::string::npos);
          }
          const FormatKind format = harness.backend.last_request().format.kind;
          EXPECT_EQ(format, kind == Kind::kJsonObject   ? FormatKind::kJsonObject
                            : kind == Kind::kJsonSchema ? FormatKind::kJsonSchema
                                                        : FormatKind::kText);
          EXPECT_EQ(harness.backend.last_request().tools.size(), kind == Kind::kTools ? 1u : 0u);
          ++n_cells;
        }
      }
    }
  }
  EXPECT_EQ(n_cells, static_cast<int>(5 * (7 - dialogue.without.size()) * 2 * 5));
}

INSTANTIATE_TEST_SUITE_P(Dialects, Matrix, ::testing::Range(size_t{0}, size_t{4}));

}  // namespace
}  // namespace minke::testing
