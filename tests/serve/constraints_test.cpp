// Answers that must have a form: formats, tools, languages, with thoughts before them and without.
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/utf8.h"
#include "serve/serve_fixture.h"
#include "support/support.h"

namespace minke::testing {
namespace {

using namespace server;
namespace fs = std::filesystem;

constexpr const char* kSchema =
    R"({"type": "object", "properties": {"n": {"type": "integer", "minimum": 0, "maximum": 99},
        "kind": {"enum": ["even", "odd"]}}, "required": ["n", "kind"], "additionalProperties": false})";

void expect_matches(const std::string& text) {
  const auto json = parse_json(text, "answer");
  ASSERT_TRUE(json) << text;
  ASSERT_TRUE(json->is_object() && json->size() == 2) << text;
  EXPECT_TRUE((*json)["n"].is_number_integer() && (*json)["n"] >= 0 && (*json)["n"] <= 99) << text;
  EXPECT_TRUE((*json)["kind"] == "even" || (*json)["kind"] == "odd") << text;
}

TEST(Format, SchemasHoldWithThoughtsAndWithout) {
  for (const bool thinks : {true, false}) {
    ChatRequest request = ask();
    request.thinking.enabled = thinks;
    request.sampling.temperature = 1;
    request.format = {FormatKind::kJsonSchema, "parity", kSchema};
    for (uint64_t seed = 0; seed < 4; seed++) {
      request.sampling.seed = seed;
      const auto reader = nano().run(request);
      EXPECT_EQ(reader->choice().thought.empty(), !thinks);
      EXPECT_EQ(reader->choice().end->reason, ChoiceFinish::kStop);
      expect_matches(reader->choice().answer);
    }
  }
}

TEST(Format, ObjectsAreJsonUnlessTheyAreCut) {
  ChatRequest request = ask();
  request.format.kind = FormatKind::kJsonObject;
  request.max_tokens = 600;
  request.thinking.budget = 20;
  const auto reader = nano().run(request);
  ASSERT_TRUE(reader->choice().end);
  const std::string& answer = reader->choice().answer;
  EXPECT_TRUE(answer.find('{') != std::string::npos && answer.find('{') < 3) << answer;
  EXPECT_TRUE(reader->choice().end->reason == ChoiceFinish::kLength || parse_json(answer, "answer")) << answer;
}

TEST(Format, SchemasThatCannotBeHeldAreRefused) {
  ChatRequest request = ask();
  request.format = {FormatKind::kJsonSchema, "x", R"({"type": "object", "not": {}})"};
  const auto ticket = nano().submit(request, std::make_shared<Reader>());
  ASSERT_FALSE(ticket);
  EXPECT_EQ(ticket.error().kind, ErrorKind::kInvalid);
  EXPECT_NE(ticket.error().message.find("not"), std::string::npos);
}

// nano would write English; locked, no letter of it is Latin.
TEST(Language, LocksThoughtAndAnswer) {
  ChatRequest request = ask("세 수 3, 8, 21로 45를 만드세요.");
  request.language_lock = "ko";
  request.sampling.temperature = 1;
  const auto reader = nano().run(request);
  bool has_hangul = false;
  for (const std::string& text : {reader->choice().thought, reader->choice().answer}) {
    for (size_t i = 0; i < text.size();) {
      const Utf8Step step = utf8_decode(text, i);
      has_hangul = has_hangul || (step.code_point >= 0xAC00 && step.code_point <= 0xD7A3);
      EXPECT_FALSE(step.code_point >= 0x0400 && step.code_point <= 0x04FF) << text;
      i += step.n_bytes;
    }
  }
  EXPECT_TRUE(has_hangul);
  request.language_lock = "xx";
  EXPECT_EQ(nano().submit(request, std::make_shared<Reader>()).error().param, "language_lock");
}

// nano with some of its tokens renamed to the marks of calls, and a template that shows them. It has never seen a call: all of
// the form is the grammar's.
struct ToolStyle {
  std::vector<std::pair<std::string, std::string>> renamed;
  std::string shown;  // by the template
};

const ToolStyle& hermes() {
  static const ToolStyle style{{{"<|user|>", "<tool_call>"}, {"<|system|>", "</tool_call>"}},
                               R"(<tool_call>{"name": , "arguments": }</tool_call>)"};
  return style;
}

ToolStyle deepseek(const std::string& shown) {
  return {{{"<|user|>", "<｜tool▁calls▁begin｜>"},
           {"<|system|>", "<｜tool▁call▁begin｜>"},
           {"<think>", "<｜tool▁sep｜>"},
           {"</think>", "<｜tool▁call▁end｜>"},
           {"<|assistant|>", "<｜tool▁calls▁end｜>"}},
          shown};
}

class ToolModel {
 public:
  explicit ToolModel(const ToolStyle& style) {
    const fs::path from = repository_path("models/nano"), to = folder_.path();
    fs::create_symlink(from / "model.safetensors", to / "model.safetensors");
    fs::copy(from / "config.json", to / "config.json");
    std::string tokenizer = read_test_file((from / "tokenizer.json").string());
    for (const auto& [what, with] : style.renamed) replace(tokenizer, what, with);
    std::ofstream(to / "tokenizer.json") << tokenizer;
    Json config = read_json_file((from / "tokenizer_config.json").string()).value();
    const bool thinks = tokenizer.find("<think>") != std::string::npos;
    config["chat_template"] = "{{ bos_token }}{% for tool in tools or [] %}{{ tool | tojson }}{% endfor %}{# " + style.shown +
                              " #}{% for m in messages %}{{ m.content or '' }}\n{% endfor %}" +
                              (thinks ? "{% if enable_thinking is not defined or enable_thinking %}<think>{% endif %}" : "");
    std::ofstream(to / "tokenizer_config.json") << dump_json(config);
    serve::BackendOptions options;
    options.models = {{"tools", to.string()}};
    served_ = std::make_unique<Served>(options);
  }
  Served& served() { return *served_; }

 private:
  static void replace(std::string& text, const std::string& what, const std::string& with) {
    for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
      text.replace(at, what.size(), with);
  }
  TemporaryDirectory folder_;
  std::unique_ptr<Served> served_;
};

Served& with_tools() {
  static ToolModel model(hermes());
  return model.served();
}

ChatRequest ask_with_tools() {
  ChatRequest request = ask();
  request.model = "tools";
  request.sampling.temperature = 1;
  request.max_tokens = 400;
  request.thinking.budget = 10;
  request.tools = {
      {"parity", "of a number", kSchema},
      {"city", "", R"({"type": "object", "properties": {"name": {"enum": ["서울", "Paris"]}}, "required": ["name"]})"}};
  request.tool_choice.parallel = false;
  return request;
}

void expect_one_call(const Reader& reader) {
  ASSERT_FALSE(reader.collected().error) << reader.collected().error->message;
  const CollectedChoice& choice = reader.choice();
  ASSERT_EQ(choice.calls.size(), 1u) << choice.answer;
  EXPECT_EQ(choice.end->reason, ChoiceFinish::kToolCalls);
  EXPECT_EQ(choice.answer.find_first_not_of(" \n"), std::string::npos) << choice.answer;
  if (choice.calls[0].name == "parity") {
    expect_matches(choice.calls[0].arguments);
  } else {
    EXPECT_EQ(choice.calls[0].name, "city");
    const Json arguments = parse_json(choice.calls[0].arguments, "arguments").value();
    EXPECT_TRUE(arguments["name"] == "서울" || arguments["name"] == "Paris") << choice.calls[0].arguments;
  }
}

TEST(Tools, RequiredCallsMatchTheirSchemas) {
  ASSERT_TRUE(with_tools().backend->models().at(0).can_use_tools);
  for (const bool thinks : {true, false}) {
    for (uint64_t seed = 0; seed < 4; seed++) {
      ChatRequest request = ask_with_tools();
      request.thinking.enabled = thinks;
      request.tool_choice.use = ToolUse::kRequired;
      request.sampling.seed = seed;
      expect_one_call(*with_tools().run(request));
    }
  }
}

TEST(Tools, AreCalledInEachFamilysSyntax) {
  const ToolStyle llama3{{}, R"(<|start_header_id|> {"name": , "parameters": })"};
  for (const ToolStyle& style : {deepseek("tool▁call▁begin ```json"), deepseek("<｜tool▁sep｜>"), llama3}) {
    ToolModel model(style);
    ASSERT_TRUE(model.served().backend->models().at(0).can_use_tools) << style.shown;
    for (uint64_t seed = 0; seed < 3; seed++) {
      ChatRequest request = ask_with_tools();
      request.tool_choice.use = ToolUse::kRequired;
      request.sampling.seed = seed;
      expect_one_call(*model.served().run(request));
    }
  }
}

TEST(Tools, ANamedToolIsTheOneThatIsCalled) {
  ChatRequest request = ask_with_tools();
  request.tool_choice.use = ToolUse::kNamed;
  request.tool_choice.name = "city";
  const auto reader = with_tools().run(request);
  ASSERT_EQ(reader->choice().calls.size(), 1u);
  EXPECT_EQ(reader->choice().calls[0].name, "city");
}

TEST(Tools, NoneAreCalledWhenThereAreNone) {
  ChatRequest request = ask_with_tools();
  request.tool_choice.use = ToolUse::kNone;
  const auto marks = with_tools().backend->tokenize("tools", "<tool_call>", false, true);
  ASSERT_EQ(marks->size(), 1u);
  request.sampling.logit_bias = {{marks->at(0), 100.0f}};  // it would like to
  const auto reader = with_tools().run(request);
  EXPECT_TRUE(reader->choice().calls.empty());
  EXPECT_EQ(reader->choice().answer.find("tool_call"), std::string::npos);
}

// Calls or an answer in its format, nothing else.
TEST(Tools, GoTogetherWithAFormat) {
  for (uint64_t seed = 0; seed < 4; seed++) {
    ChatRequest request = ask_with_tools();
    request.format = {FormatKind::kJsonSchema, "parity", kSchema};
    request.sampling.seed = seed;
    const auto reader = with_tools().run(request);
    const CollectedChoice& choice = reader->choice();
    if (choice.calls.empty()) expect_matches(choice.answer);
  }
}

TEST(Tools, WithBadSchemasAreRefused) {
  ChatRequest request = ask_with_tools();
  request.tools[0].parameters_json = R"({"type": "object", "patternProperties": {}})";
  const auto ticket = with_tools().submit(request, std::make_shared<Reader>());
  ASSERT_FALSE(ticket);
  EXPECT_EQ(ticket.error().param, "tools");
  EXPECT_NE(ticket.error().message.find("parity"), std::string::npos) << ticket.error().message;
}

}  // namespace
}  // namespace minke::testing
