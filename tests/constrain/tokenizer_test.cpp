// Masks over the vocabularies of real models.
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "constrain/json/schema.h"
#include "constrain/tools/tool_syntax.h"
#include "constrain_testing.h"
#include "schema_validator.h"
#include "tokenizer/tokenizer_testing.h"

namespace minke::constrain::testing {
namespace {

using minke::testing::encode;
using minke::testing::load_tokenizer;
using minke::testing::tokenizer_path;

constexpr const char* kSchema =
    R"e({"type":"object","properties":{"이름":{"type":"string"},"age":{"type":"integer","minimum":0,"maximum":150},
    "tags":{"type":"array","items":{"enum":["a","b"]}}},"required":["이름","age"],"additionalProperties":false})e";

struct Model {
  const char* name;
  bool is_directory;  // tokenizer.json lies there as it is
};

class RealVocabulary : public ::testing::TestWithParam<Model> {
 protected:
  static Tokenizer load(const Model& model) {
    return model.is_directory ? value_of(Tokenizer::from_directory(tokenizer_path(model.name))) : load_tokenizer(model.name);
  }
};

// The tokenizer's own way to write a value is allowed token by token, whatever else is.
TEST_P(RealVocabulary, AllowsItsOwnTokensAndNoOthers) {
  Tokenizer tokenizer = load(GetParam());
  auto vocabulary = value_of(Vocabulary::from_tokenizer(tokenizer));
  Json schema = value_of(parse_json(kSchema, "schema"));
  CompiledPair pair = compile([&](Expressions& e) { return schema_answer(e, schema, "schema"); });
  auto grammar = std::make_shared<TokenGrammar>(pair.grammar, vocabulary);
  std::mt19937_64 random(9);
  for (const char* text : {R"e({"이름":"김철수 😀 \"x\"","age":42})e",
                           "{\n  \"이름\": \"é\\n漢\",\n  \"age\": 150,\n  \"tags\": [\"a\", \"b\"]\n}"}) {
    Matcher matcher(grammar);
    ReferenceMatcher reference(*pair.expressions, pair.root);
    for (TokenId token : encode(tokenizer, text)) {
      std::span<const uint64_t> mask = matcher.mask();
      ASSERT_TRUE(allows(mask, token)) << tokenizer.token_text(token);
      // A sample of the vocabulary beside the reference.
      for (int i = 0; i < 150; i++) {
        auto id = static_cast<TokenId>(random() % static_cast<uint64_t>(vocabulary->n_tokens()));
        ReferenceMatcher copy = reference;
        bool expected = vocabulary->is_text(id) && !vocabulary->bytes(id).empty() && copy.accept(vocabulary->bytes(id));
        ASSERT_EQ(allows(mask, id), expected) << tokenizer.token_text(id) << " in " << text;
      }
      ASSERT_TRUE(matcher.accept(token));
      reference.accept(vocabulary->bytes(token));
    }
    ASSERT_TRUE(matcher.is_complete()) << text;
    for (TokenId eos : tokenizer.eos_ids()) EXPECT_TRUE(allows(matcher.mask(), eos));
  }
}

TEST_P(RealVocabulary, RandomTextsAreValid) {
  Tokenizer tokenizer = load(GetParam());
  auto vocabulary = value_of(Vocabulary::from_tokenizer(tokenizer));
  Json schema = value_of(parse_json(kSchema, "schema"));
  auto grammar = std::make_shared<TokenGrammar>(value_of(compile_schema(schema, "schema")), vocabulary);
  std::mt19937_64 random(2);
  int n_ended = 0;
  for (int i = 0; i < 8; i++) {
    auto text = random_text(grammar, random, 3 * i);
    if (!text) continue;
    n_ended++;
    EXPECT_EQ(schema_violation(schema, value_of(parse_json(*text, "text")), schema), "") << *text;
  }
  EXPECT_GT(n_ended, 3);
}

INSTANTIATE_TEST_SUITE_P(Models, RealVocabulary,
                         ::testing::Values(Model{"deepseek_v3", false}, Model{"qwen2_5", false}, Model{"stories260K", true}),
                         [](const auto& row) { return std::string(row.param.name); });

// DeepSeek's file does not call the marks of its tool calls special; they are control tokens all the same.
TEST(RealVocabulary, MarksAreControlTokens) {
  Tokenizer tokenizer = load_tokenizer("deepseek_v3");
  auto vocabulary = value_of(Vocabulary::from_tokenizer(tokenizer));
  TokenId begin = value_of(Result<TokenId>(*tokenizer.token_to_id("<｜tool▁calls▁begin｜>")));
  ASSERT_FALSE(vocabulary->is_text(begin));
  EXPECT_EQ(vocabulary->control_token("<｜tool▁calls▁begin｜>"), begin);
  EXPECT_FALSE(vocabulary->control_token("{").has_value());
  auto grammar = std::make_shared<TokenGrammar>(
      value_of(compile_tool_calls({.syntax = ToolSyntax::kDeepSeekV3, .tools = {{"f", nullptr}}}, *vocabulary)), vocabulary);
  Matcher matcher(grammar);
  const std::string text =
      "I ask.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{\"x\": "
      "[1]}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>";
  for (TokenId token : encode(tokenizer, text)) {
    ASSERT_TRUE(allows(matcher.mask(), token)) << tokenizer.token_text(token);
    ASSERT_TRUE(matcher.accept(token));
    ASSERT_FALSE(allows(matcher.mask(), *tokenizer.token_to_id("<｜User｜>")));
  }
  EXPECT_EQ(allowed_tokens(matcher.mask(), vocabulary->n_tokens()), tokenizer.eos_ids());
  // The same marks spelled with ordinary tokens are text, which leads nowhere near a call.
  Matcher spelled(grammar);
  for (TokenId token : encode(tokenizer, "<｜tool▁calls▁begin｜>", {.add_special = false, .parse_special = false})) {
    ASSERT_TRUE(spelled.accept(token));
  }
  EXPECT_TRUE(spelled.is_complete());
}

}  // namespace
}  // namespace minke::constrain::testing
