#include "base/json.h"
#include "constrain/tools/tool_syntax.h"
#include "constrain_testing.h"
#include "schema_validator.h"

namespace minke::constrain::testing {
namespace {

using minke::testing::read_test_file;
using minke::testing::repository_path;

const Json& weather() {
  static const Json schema =
      Json::parse(R"e({"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer","minimum":1,"maximum":9},
      "unit":{"enum":["C","F"]}},"required":["city","days"]})e");
  return schema;
}
const Json& add() {
  static const Json schema = Json::parse(
      R"e({"type":"object","properties":{"a":{"type":"number"},"b":{"type":"array","items":{"type":"integer"}}},"required":["a","b"]})e");
  return schema;
}

// No control tokens: all marks are text.
CompiledPair compile_tools(ToolCallOptions options, const Vocabulary& vocabulary) {
  if (options.tools.empty()) options.tools = {{"weather", &weather()}, {"add", &add()}};
  return compile([&](Expressions& e) { return tool_answer(e, options, vocabulary); });
}

struct ToolCase {
  ToolSyntax syntax;
  std::vector<const char*> valid;  // with tool_choice required; auto allows them too, behind text
  std::vector<const char*> invalid;
};

const ToolCase kToolCases[] = {
    {ToolSyntax::kDeepSeekV3,
     {"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n{\"city\": \"서울\", \"days\": "
      "2}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
      "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n{\"city\": \"\", \"days\": "
      "2}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>add\n```json\n{\"a\": 1, \"b\": "
      "[]}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>"},
     {"<｜tool▁calls▁begin｜><｜tool▁calls▁end｜>",
      "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>add\n```json\n{\"city\": \"\", \"days\": "
      "2}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>"}},
    {ToolSyntax::kDeepSeekV31,
     {"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>{\"city\":\"x\",\"days\":9}<｜tool▁call▁end｜><"
      "｜tool▁call▁begin｜>add<｜tool▁sep｜>{\"a\":1.5,\"b\":[1,2]}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"},
     {"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>other<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"}},
    {ToolSyntax::kDeepSeekV32,
     {"\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"weather\">\n<｜DSML｜parameter name=\"city\" string=\"true\">a "
      "<b>\n</c> \"d\"</｜DSML｜parameter>\n<｜DSML｜parameter name=\"days\" "
      "string=\"false\">3</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>",
      "<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"add\">\n<｜DSML｜parameter name=\"a\" "
      "string=\"false\">3</｜DSML｜parameter>\n<｜DSML｜parameter name=\"b\" string=\"false\">[1, "
      "2]</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>"},
     {"<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"weather\">\n<｜DSML｜parameter name=\"city\" "
      "string=\"false\">\"a\"</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>"}},
    {ToolSyntax::kToolCallJson,
     {"<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"x\", \"days\": 1, \"unit\": \"C\"}}\n</tool_call>",
      "<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 1, \"b\": []}}\n</tool_call>\n<tool_call>\n{\"name\": \"add\", "
      "\"arguments\": {\"a\": 1, \"b\": []}}\n</tool_call>"},
     {"<tool_call>\n{\"name\": \"add\", \"arguments\": {\"city\": \"x\", \"days\": 1}}\n</tool_call>",
      "<tool_call>\n</tool_call>"}},
    {ToolSyntax::kToolCallXml,
     {"<tool_call>\n<function=weather>\n<parameter=city>\nNew\n\"York\" "
      "</x>\n</parameter>\n<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>",
      "<tool_call>\n<function=weather>\n<parameter=city>\n\n</parameter>\n<parameter=days>\n3\n</"
      "parameter>\n<parameter=unit>\nF\n</parameter>\n</function>\n</tool_call>"},
     {"<tool_call>\n<function=weather>\n<parameter=city>\nx\n</parameter>\n</function>\n</tool_call>",
      "<tool_call>\n<function=weather>\n<parameter=city>\nx\n</parameter>\n<parameter=days>\n3\n</"
      "parameter>\n<parameter=unit>\n\"F\"\n</parameter>\n</function>\n</tool_call>"}},
    {ToolSyntax::kLlama3,
     {"{\"name\": \"weather\", \"parameters\": {\"city\": \"x\", \"days\": 1}}"},
     {"{\"name\": \"weather\"}", "{}"}},
    {ToolSyntax::kKimi,
     {"<|tool_calls_section_begin|><|tool_call_begin|>functions.weather:0<|tool_call_argument_begin|>{\"city\":\"x\",\"days\":"
      "1}<|tool_call_end|><|tool_calls_section_end|>"},
     {"<|tool_calls_section_begin|><|tool_calls_section_end|>"}},
};

class ToolTest : public ::testing::TestWithParam<ToolCase> {};

TEST_P(ToolTest, CallsAndTexts) {
  auto vocabulary = small_vocabulary({});
  CompiledPair required =
      compile_tools({.syntax = GetParam().syntax, .tools = {}, .choice = ToolChoice::kRequired}, *vocabulary);
  CompiledPair automatic = compile_tools({.syntax = GetParam().syntax, .tools = {}}, *vocabulary);
  CompiledPair single = compile_tools(
      {.syntax = GetParam().syntax, .tools = {{"add", &add()}}, .choice = ToolChoice::kRequired, .is_parallel = false},
      *vocabulary);
  for (std::string text : GetParam().valid) {
    EXPECT_TRUE(matches(required, text)) << text;
    EXPECT_TRUE(matches(automatic, text)) << text;
    EXPECT_EQ(matches(single, text), text.find("weather") == std::string::npos && text.find("add") == text.rfind("add"))
        << text;
    EXPECT_TRUE(matches(automatic, "Let me see. < <tool " + text)) << text;  // Llama's is no call then, but text
    for (size_t n = 1; n < text.size(); n++) {
      bool is_whole = text.substr(0, n).ends_with("</tool_call>");  // the first of two calls
      EXPECT_EQ(matches(required, text.substr(0, n)), is_whole) << text.substr(0, n);
    }
  }
  for (const char* text : GetParam().invalid) {
    EXPECT_FALSE(matches(required, text)) << text;
    EXPECT_FALSE(matches(automatic, text)) << text;
  }
  EXPECT_FALSE(matches(required, "\n"));
  EXPECT_TRUE(matches(automatic, "한국어 text with < and <tool"));
  EXPECT_TRUE(matches(automatic, ""));
  EXPECT_FALSE(matches(required, "text"));
}

TEST_P(ToolTest, MasksAreThoseOfTheReference) {
  std::vector<std::string> texts(GetParam().valid.begin(), GetParam().valid.end());
  auto vocabulary = small_vocabulary(texts, 150);
  walk_beside_reference(compile_tools({.syntax = GetParam().syntax, .tools = {}}, *vocabulary), vocabulary, 3, 1, 8);
  walk_beside_reference(compile_tools({.syntax = GetParam().syntax, .tools = {}, .choice = ToolChoice::kRequired}, *vocabulary),
                        vocabulary, 4, 1, 12);
}

INSTANTIATE_TEST_SUITE_P(Syntaxes, ToolTest, ::testing::ValuesIn(kToolCases), [](const auto& row) {
  std::string name(tool_syntax_name(row.param.syntax));
  std::erase_if(name, [](char c) { return c == '-' || c == '.'; });
  return name;
});

TEST(Tools, SyntaxOfTemplates) {
  const std::pair<const char*, std::optional<ToolSyntax>> cases[] = {
      {"deepseek-ai-DeepSeek-V3.2.jinja", ToolSyntax::kDeepSeekV32},
      {"deepseek-ai-DeepSeek-V3.1.jinja", ToolSyntax::kDeepSeekV31},
      {"vllm-tool-DeepSeek-V3.jinja", ToolSyntax::kDeepSeekV3},
      {"deepseek-ai-DeepSeek-R1-Distill-Llama-8B.jinja", ToolSyntax::kDeepSeekV3},
      {"deepseek-ai-DeepSeek-R1-Distill-Qwen-32B.jinja", ToolSyntax::kDeepSeekV3},
      {"Qwen-Qwen2.5-7B-Instruct.jinja", ToolSyntax::kToolCallJson},
      {"Qwen-Qwen3-0.6B.jinja", ToolSyntax::kToolCallJson},
      {"Qwen-QwQ-32B.jinja", ToolSyntax::kToolCallJson},
      {"Qwen3.5-4B.jinja", ToolSyntax::kToolCallXml},
      {"ct-chatml.jinja", std::nullopt},
      {"ct-vicuna.jinja", std::nullopt},
  };
  for (auto [name, expected] : cases) {
    EXPECT_EQ(tool_syntax_of(read_test_file(repository_path(std::string("tests/data/templates/") + name))), expected) << name;
  }
}

TEST(Tools, Refusals) {
  auto vocabulary = small_vocabulary({});
  Json bad = Json::parse(R"e({"type":"object","properties":{"a":{"not":{}}}})e");
  Json quotes = Json::parse(R"e({"type":"object","properties":{"a\"b":{"type":"string"}}})e");
  auto compiled = [&](std::vector<ToolDefinition> tools, ToolSyntax syntax) {
    return compile_tool_calls({.syntax = syntax, .tools = std::move(tools)}, *vocabulary);
  };
  EXPECT_ERROR(compiled({}, ToolSyntax::kDeepSeekV3), "no tools to call");
  EXPECT_ERROR(compiled({{"a b", nullptr}}, ToolSyntax::kDeepSeekV3), "tool \"a b\": expected 1 to 64 letters");
  EXPECT_ERROR(compiled({{"a", nullptr}, {"a", nullptr}}, ToolSyntax::kDeepSeekV3), "tool a: named twice");
  EXPECT_ERROR(compiled({{"a", &bad}}, ToolSyntax::kDeepSeekV3), "tool a: #/properties/a/not: this keyword is not supported");
  EXPECT_ERROR(compiled({{"a", &quotes}}, ToolSyntax::kToolCallXml), "tool a: #/properties/a\"b: this model's syntax");
  EXPECT_ERROR(compiled({{"a", nullptr}}, ToolSyntax::kToolCallXml), "tool a: has no schema");
}

}  // namespace
}  // namespace minke::constrain::testing
