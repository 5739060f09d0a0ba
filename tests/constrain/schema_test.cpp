#include "constrain/json/schema.h"

#include "base/utf8.h"
#include "constrain_testing.h"
#include "schema_validator.h"

namespace minke::constrain::testing {
namespace {

struct SchemaCase {
  const char* name;
  const char* schema;
  std::vector<const char*> valid;
  std::vector<const char*> invalid;
};

// Names are short so that random texts end.
const SchemaCase kSchemaCases[] = {
    {"String",
     R"e({"type":"string"})e",
     {R"e("")e", R"e("a\n\u00e9\ud83d\ude00 한국어 😀 \/")e"},
     {R"e("a)e", R"e("\ud83d")e", R"e("\x")e", "\"\n\"", "\"\xC3\"", "1"}},
    {"Lengths",
     R"e({"type":"string","minLength":2,"maxLength":3})e",
     {R"e("한국")e", R"e("ab😀")e", R"e("\n\u00e9\"")e"},
     {R"e("a")e", R"e("abcd")e", R"e("한")e"}},
    {"Pattern",
     R"e({"type":"string","pattern":"^[A-Z]{2}-\\d+$"})e",
     {R"e("AB-1")e", R"e("ZZ-123")e"},
     {R"e("AB-")e", R"e("ABC-1")e", R"e(" AB-1")e"}},
    {"Search",
     R"e({"type":"string","pattern":"a.b|^x"})e",
     {R"e("zzacbz")e", R"e("xyz")e", R"e("a\"b")e"},
     {R"e("ab")e", R"e("yx")e", R"e("a\nb")e"}},
    {"EscapedPattern",
     R"e({"type":"string","pattern":"^[\"\\\\\\n\\x01a]+$"})e",
     {R"e("\"\\\n\u0001a")e"},
     {R"e("")e", R"e("\u0061")e", R"e("b")e"}},
    {"Email", R"e({"type":"string","format":"email"})e", {R"e("a.b@c.de")e"}, {R"e("a")e", R"e("a@b")e", R"e(".a@b.c")e"}},
    {"Date",
     R"e({"type":"string","format":"date"})e",
     {R"e("2024-02-29")e", R"e("2000-02-29")e", R"e("1999-12-31")e"},
     {R"e("2023-02-29")e", R"e("1900-02-29")e", R"e("2023-04-31")e", R"e("2023-13-01")e"}},
    {"DateTime",
     R"e({"type":"string","format":"date-time"})e",
     {R"e("2026-11-22T11:14:20Z")e", R"e("2026-11-22T23:59:59.123+09:00")e"},
     {R"e("2026-11-22")e", R"e("2026-11-22T24:00:00Z")e"}},
    {"Duration",
     R"e({"type":"string","format":"duration"})e",
     {R"e("P3Y6M4DT12H30M5S")e", R"e("P2W")e", R"e("PT5M")e"},
     {R"e("P")e", R"e("PT")e", R"e("P1Y4D")e"}},
    {"Ipv4",
     R"e({"type":"string","format":"ipv4"})e",
     {R"e("192.168.0.255")e"},
     {R"e("256.1.1.1")e", R"e("1.1.1")e", R"e("01.1.1.1")e"}},
    {"Ipv6",
     R"e({"type":"string","format":"ipv6"})e",
     {R"e("::")e", R"e("::1")e", R"e("1:2:3:4:5:6:7:8")e", R"e("fe80::1:2")e", R"e("1:2:3:4:5:6:7::")e"},
     {R"e("1:2:3:4:5:6:7:8::")e", R"e("1::2::3")e", R"e(":1")e", R"e("12345::")e"}},
    {"Uuid",
     R"e({"type":"string","format":"uuid"})e",
     {R"e("123e4567-e89b-12d3-a456-426614174000")e"},
     {R"e("123e4567-e89b-12d3-a456-42661417400")e"}},
    {"Hostname", R"e({"type":"string","format":"hostname"})e", {R"e("a-b.c1")e"}, {R"e("-a")e", R"e("a-")e", R"e("a..b")e"}},
    {"Integer", R"e({"type":"integer"})e", {"0", "-7", "123456789012345678"}, {"-0", "01", "1.0", "1e3", "+1"}},
    {"Number", R"e({"type":"number"})e", {"0", "-0", "-7.25", "1e5", "1.5E-07"}, {"01", ".5", "1.", "1e", "NaN"}},
    {"IntegerRange",
     R"e({"type":"integer","minimum":-12,"maximum":305})e",
     {"-12", "-1", "0", "9", "99", "305"},
     {"-13", "306", "-0", "1000", "00"}},
    {"IntegerAbove", R"e({"type":"integer","exclusiveMinimum":99})e", {"100", "999", "12345"}, {"99", "-100", "9"}},
    {"IntegerBelow", R"e({"type":"integer","exclusiveMaximum":-99.5})e", {"-100", "-1234"}, {"-99", "99", "0"}},
    {"IntegerMultiple",
     R"e({"type":"integer","multipleOf":7,"minimum":-50})e",
     {"-49", "0", "7", "700", "49"},
     {"1", "-50", "-56", "8"}},
    {"IntegerHalves", R"e({"type":"integer","multipleOf":1.5})e", {"3", "-6", "0"}, {"1", "2", "4"}},
    {"NumberRange",
     R"e({"type":"number","minimum":0.05,"exclusiveMaximum":12.5})e",
     {"0.05", "0.1", "1", "12.499", "12.4", "9.99"},
     {"0", "0.04", "12.5", "12.50", "-1", "13", "1e0"}},
    {"UnitInterval",
     R"e({"type":"number","minimum":0,"maximum":1})e",
     {"0", "1", "1.0", "0.000000001", "0.5"},
     {"1.1", "-0.1", "-0", "2"}},
    {"NegativeRange",
     R"e({"type":"number","minimum":-2.5,"maximum":-1.25})e",
     {"-2.5", "-1.25", "-2"},
     {"-2.51", "-1.2", "2", "-1"}},
    {"Cents",
     R"e({"type":"number","multipleOf":0.25,"minimum":0,"maximum":99})e",
     {"0", "0.25", "98.75", "3", "3.5", "3.50"},
     {"0.3", "99.25", "0.1", "3.555"}},
    {"OneValue", R"e({"type":"number","minimum":1.5,"maximum":1.5})e", {"1.5", "1.50"}, {"1.4", "1.6"}},
    {"Literals",
     R"e({"enum":["a","한\n",1,1.5,null,true,{"x":[1]}]})e",
     {R"e("a")e", R"e("한\n")e", "1", "1.5", "null", "true", R"e({"x":[1]})e"},
     {R"e("b")e", "2", "false"}},
    {"Const", R"e({"const":"on/off"})e", {R"e("on/off")e"}, {R"e("on")e"}},
    {"EnumOfType", R"e({"type":["string","null"],"enum":["a",1,null]})e", {R"e("a")e", "null"}, {"1"}},
    {"Types",
     R"e({"type":["string","integer","null"],"maxLength":2,"minimum":5})e",
     {R"e("ab")e", "5", "null"},
     {R"e("abc")e", "4", "true"}},
    {"Any", "{}", {"1", R"e({"a":[1,{"b":null}]})e", R"e("x")e", "[]"}, {"", "{", "[1,]"}},
    {"True", "true", {"[true]"}, {"nul"}},
    {"Array",
     R"e({"type":"array","items":{"type":"boolean"}})e",
     {"[]", "[true]", "[true, false]", "[ true,\n  false\n]"},
     {"[,]", "[true,]", "[1]"}},
    {"ArrayCounts",
     R"e({"type":"array","items":{"type":"array","items":{"const":1},"maxItems":2},"minItems":2,"maxItems":4})e",
     {"[[],[1]]", "[[1,1],[],[],[]]"},
     {"[]", "[[]]", "[[],[],[],[],[]]", "[[1,1,1],[]]"}},
    {"ArrayOfOne", R"e({"type":"array","items":{"const":1},"minItems":1,"maxItems":1})e", {"[1]"}, {"[]", "[1,1]"}},
    {"ArrayEmpty", R"e({"type":"array","maxItems":0})e", {"[]", "[ ]"}, {"[1]"}},
    {"Tuple",
     R"e({"type":"array","prefixItems":[{"const":1},{"const":2},{"const":3}],"items":{"const":4},"minItems":1,"maxItems":5})e",
     {"[1]", "[1,2]", "[1,2,3]", "[1,2,3,4,4]"},
     {"[]", "[1,3]", "[1,2,3,4,4,4]", "[1,2,4]"}},
    {"ClosedTuple",
     R"e({"type":"array","prefixItems":[{"const":1},{"const":2}],"items":false,"minItems":2})e",
     {"[1,2]"},
     {"[1]", "[1,2,3]"}},
    {"Object",
     R"e({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["a","b"],"additionalProperties":false})e",
     {R"e({"a":1,"b":""})e", "{\"a\": 1, \"b\": \"x\"}", "{\n  \"a\": 1,\n  \"b\": \"x\"\n}"},
     {R"e({"a":1})e", R"e({"b":"","a":1})e", "{}", R"e({"a":1,"b":"","c":1})e", R"e({"a":1 ,"b":""})e"}},
    {"Optional",
     R"e({"type":"object","properties":{"a":{"const":1},"b":{"const":2},"c":{"const":3},"d":{"const":4}},"required":["b"]})e",
     {R"e({"b":2})e", R"e({"a":1,"b":2})e", R"e({"b":2,"d":4})e", R"e({"a":1,"b":2,"c":3,"d":4})e"},
     {"{}", R"e({"a":1})e", R"e({"a":1,,"b":2})e", R"e({"b":2,})e", R"e({,"b":2})e"}},
    {"AllOptional",
     R"e({"type":"object","properties":{"a":{"const":1},"b":{"const":2}}})e",
     {"{}", R"e({"a":1})e", R"e({"b":2})e", R"e({"a":1,"b":2})e"},
     {R"e({"b":2,"a":1})e"}},
    {"Additional",
     R"e({"type":"object","properties":{"ab":{"const":1},"a":{"const":2},"é\"":{"const":3}},"required":["ab"],"additionalProperties":{"type":"boolean"}})e",
     {R"e({"ab":1,"abc":true,"b":false,"":true})e", R"e({"ab":1,"a":2})e", R"e({"ab":1,"é\"":3,"é":true})e"},
     {R"e({"ab":1,"ab":true})e", R"e({"ab":1,"a":true})e", R"e({"ab":1,"\u0061":true})e", R"e({"ab":1,"é\"":true})e",
      R"e({"x":true})e"}},
    {"Map",
     R"e({"type":"object","additionalProperties":{"type":"integer"}})e",
     {"{}", R"e({"x":1,"y":2})e"},
     {R"e({"x":"1"})e"}},
    {"RequiredElsewhere",
     R"e({"type":"object","required":["k"],"additionalProperties":true})e",
     {R"e({"k":[1]})e", R"e({"k":1,"l":2})e"},
     {"{}", R"e({"l":2})e"}},
    {"AnyObject", R"e({"type":"object"})e", {"{}", R"e({"a":{"b":1}})e"}, {"[]"}},
    {"AnyOf",
     R"e({"anyOf":[{"type":"string","maxLength":1},{"type":"object","properties":{"t":{"const":"x"}},"required":["t"]},{"type":"null"}]})e",
     {R"e("a")e", R"e({"t":"x"})e", "null"},
     {R"e("ab")e", R"e({"t":"y"})e"}},
    {"OneOf",
     R"e({"oneOf":[{"type":"object","properties":{"k":{"const":"a"},"x":{"type":"integer"}},"required":["k","x"]},{"type":"object","properties":{"k":{"enum":["b","c"]}},"required":["k"]},{"type":"null"}]})e",
     {R"e({"k":"a","x":1})e", R"e({"k":"c"})e", "null"},
     {R"e({"k":"a"})e", R"e({"k":"d"})e"}},
    {"Refs",
     R"e({"$defs":{"leaf/~":{"type":"integer","minimum":0,"maximum":9}},"type":"object","properties":{"l":{"$ref":"#/$defs/leaf~1~0"},"m":{"allOf":[{"$ref":"#/properties/l"}],"title":"M"}},"required":["l","m"]})e",
     {R"e({"l":1,"m":2})e"},
     {R"e({"l":10,"m":2})e"}},
    {"Tree",
     R"e({"$defs":{"node":{"type":"object","properties":{"v":{"type":"integer","minimum":0,"maximum":3},"c":{"type":"array","items":{"$ref":"#/$defs/node"},"maxItems":3}},"required":["v","c"],"additionalProperties":false}},"$ref":"#/$defs/node"})e",
     {R"e({"v":1,"c":[{"v":2,"c":[]}]})e"},
     {R"e({"v":1})e", R"e({"v":1,"c":[1]})e"}},
    {"List",
     R"e({"type":"object","properties":{"v":{"const":1},"next":{"anyOf":[{"$ref":"#"},{"type":"null"}]}},"required":["v","next"]})e",
     {R"e({"v":1,"next":null})e", R"e({"v":1,"next":{"v":1,"next":null}})e"},
     {R"e({"v":1,"next":{}})e"}},
    {"ImpossibleBranch",
     R"e({"$defs":{"endless":{"type":"object","properties":{"e":{"$ref":"#/$defs/endless"}},"required":["e"]}},"anyOf":[{"$ref":"#/$defs/endless"},{"const":1},false]})e",
     {"1"},
     {"{", R"e({"e":1})e"}},
    {"NoType",
     R"e({"properties":{"a":{"minLength":1,"maxLength":1}},"required":["a"]})e",
     {R"e({"a":"x"})e"},
     {"1", R"e({"a":1})e"}},
};

class SchemaTest : public ::testing::TestWithParam<SchemaCase> {};

CompiledPair compile_pair(const Json& schema, const JsonOptions& options = {}) {
  return compile([&](Expressions& e) { return schema_answer(e, schema, "schema", options); });
}

std::shared_ptr<const Vocabulary> vocabulary_for(const SchemaCase& test) {
  std::vector<std::string> texts = {test.schema, "{\"a\": [1, 2.5, \"x\"]}\n  "};
  for (const char* text : test.valid) texts.push_back(text);
  return small_vocabulary(texts, 150);
}

TEST_P(SchemaTest, ExamplesMatchOrDoNot) {
  Json schema = value_of(parse_json(GetParam().schema, "schema"));
  CompiledPair pair = compile_pair(schema);
  for (const char* text : GetParam().valid) {
    EXPECT_TRUE(matches(pair, text)) << text;
    EXPECT_TRUE(matches(pair, std::string("\n\n") + text)) << text;
    EXPECT_EQ(schema_violation(schema, Json::parse(text), schema), "") << text;
  }
  for (const char* text : GetParam().invalid) EXPECT_FALSE(matches(pair, text)) << text;
}

TEST_P(SchemaTest, RandomTextsAreValid) {
  Json schema = value_of(parse_json(GetParam().schema, "schema"));
  CompiledPair pair = compile_pair(schema);
  auto grammar = std::make_shared<TokenGrammar>(pair.grammar, vocabulary_for(GetParam()));
  std::mt19937_64 random(17);
  int n_ended = 0;
  for (int i = 0; i < 40; i++) {
    std::optional<std::string> text = random_text(grammar, random, i);
    if (!text) continue;
    n_ended++;
    ASSERT_TRUE(utf8_valid(*text));
    Json value = Json::parse(*text, nullptr, false);  // keys may come twice where the schema leaves them free
    ASSERT_FALSE(value.is_discarded()) << *text;
    ASSERT_EQ(schema_violation(schema, value, schema), "") << *text;
  }
  EXPECT_GT(n_ended, 10);
}

TEST_P(SchemaTest, MasksAreThoseOfTheReference) {
  Json schema = value_of(parse_json(GetParam().schema, "schema"));
  walk_beside_reference(compile_pair(schema), vocabulary_for(GetParam()), 3, 2, 8);
}

INSTANTIATE_TEST_SUITE_P(Schemas, SchemaTest, ::testing::ValuesIn(kSchemaCases),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(Schema, RefusalsNameThePlace) {
  const std::pair<const char*, const char*> cases[] = {
      {R"e({"type":"object","properties":{"a":{"type":"string","contentEncoding":"x"}}})e",
       "s: #/properties/a/contentEncoding: this keyword is not supported"},
      {R"e({"type":"array","uniqueItems":true})e", "#/uniqueItems: this keyword is not supported"},
      {R"e({"type":"object","patternProperties":{}})e", "#/patternProperties"},
      {R"e({"not":{}})e", "#/not"},
      {R"e({"type":"strin"})e", "#/type: expected object, array"},
      {R"e({"type":[]})e", "#/type: an empty list"},
      {R"e({"type":"string","format":"uri"})e", "#/format: \"uri\" is not supported, only date-time"},
      {R"e({"type":"string","pattern":"(?=a)"})e", "#/pattern: position 2: look-around"},
      {R"e({"type":"string","pattern":"(a)\\1"})e", "back references"},
      {R"e({"type":"string","pattern":"a","minLength":2})e", "#/minLength: this keyword is not supported beside pattern"},
      {R"e({"type":"string","minLength":3,"maxLength":2})e", "#/maxLength: 2 is less than minLength, 3"},
      {R"e({"type":"string","minLength":-1})e", "#/minLength: expected a whole number"},
      {R"e({"type":"integer","minimum":5,"maximum":4})e", "#: no number is within the bounds"},
      {R"e({"type":"integer","minimum":"5"})e", "#/minimum: expected a number"},
      {R"e({"type":"integer","minimum":1e30})e", "#/minimum: 1e+30 has too many digits"},
      {R"e({"type":"integer","multipleOf":123456})e", "#: numbers of so large a multiple"},
      {R"e({"type":"integer","multipleOf":0})e", "#/multipleOf: expected a number above 0"},
      {R"e({"enum":[]})e", "#/enum: expected a list of values"},
      {R"e({"type":"string","enum":[1]})e", "#/type: no value of enum has this type"},
      {R"e({"enum":["a"],"maxLength":3})e", "#/maxLength: this keyword is not supported beside enum"},
      {R"e({"$ref":"#/$defs/x"})e", "#/$ref: \"#/$defs/x\" leads nowhere: there is no \"$defs\""},
      {R"e({"$ref":"other.json"})e", "is not in this document"},
      {R"e({"anyOf":[]})e", "#/anyOf: expected a list of schemas"},
      {R"e({"anyOf":[1]})e", "#/anyOf/0: expected a schema"},
      {R"e({"oneOf":[{"type":"integer"},{"type":"number"}]})e", "#/oneOf: alternatives 0 and 1 may match the same value"},
      {R"e({"allOf":[{},{}]})e", "#/allOf: only a list of one schema"},
      {R"e({"type":"object","required":["a"]})e", "#/required: \"a\" is not among the properties"},
      {R"e({"type":"array","items":false,"minItems":1})e", "#/minItems: 1 items"},
      {R"e({"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}},"$ref":"#/$defs/a"})e", "matches no text at all"},
      {R"e({"anyOf":[{"type":"null"},{"$ref":"#"}]})e", "begins with itself"},
      {R"e({"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]})e", "matches no text at all"},
      {R"e({"type":"string","pattern":"(.*a){40}.{40}"})e", "#"},
      {R"e({"type":"string","pattern":"((a{100}){100}){100}"})e", "states"},
      {R"e([1])e", "#: expected a schema"},
  };
  for (auto [text, message] : cases) {
    Json schema = value_of(parse_json(text, "schema"));
    auto grammar = compile_schema(schema, "s");
    ASSERT_FALSE(grammar.has_value()) << text;
    EXPECT_NE(grammar.error().message.find(message), std::string::npos) << text << "\n" << grammar.error().message;
    EXPECT_EQ(grammar.error().message.find('\n'), std::string::npos);
  }
  std::string deep = R"e({"const":1})e";
  for (int i = 0; i < 200; i++) deep = R"e({"type":"array","items":)e" + deep + "}";
  Json schema = Json::parse(deep);
  EXPECT_ERROR(compile_schema(schema, "s"), "nested deeper than 128 schemas");
}

TEST(Schema, LargeSchemasCompile) {
  Json properties = Json::object(), required = Json::array();
  for (int i = 0; i < 400; i++) {
    std::string name = fmt::format("property number {}", i);
    properties[name] = Json::parse(
        R"e({"type":"object","properties":{"a":{"type":"string","maxLength":2000},"b":{"type":"array","items":{"type":"number"},"maxItems":500}},"required":["a","b"]})e");
    properties[name]["description"] = name;
    required.push_back(name);
  }
  Json schema = {{"type", "object"}, {"properties", properties}, {"required", required}, {"additionalProperties", false}};
  EXPECT_TRUE(compile_schema(schema, "s").has_value());
}

TEST(Schema, CompactSpace) {
  CompiledPair pair = compile_pair(Json::parse(R"e({"type":"object","properties":{"a":{"type":"array"}},"required":["a"]})e"),
                                   {.space = JsonSpace::kNone});
  EXPECT_TRUE(matches(pair, R"e({"a":[1,2]})e"));
  EXPECT_FALSE(matches(pair, R"e({"a": [1,2]})e"));
}

TEST(Schema, JsonObjectIsAnyObject) {
  auto grammar = value_of(compile_json_object());
  CompiledPair pair{nullptr, 0, grammar};
  EXPECT_TRUE(matches(pair, R"e( {"a": [1, {"b": null}], "": "\u0000"})e"));
  EXPECT_FALSE(matches(pair, "[1]"));
  auto tokens = std::make_shared<TokenGrammar>(grammar, small_vocabulary({R"e({"key": [1, true], "text": "한국어"})e"}, 100));
  std::mt19937_64 random(3);
  int n_ended = 0;
  for (int i = 0; i < 60; i++) {
    auto text = random_text(tokens, random, i);
    if (!text) continue;
    n_ended++;
    EXPECT_TRUE(Json::parse(*text, nullptr, false).is_object()) << *text;
  }
  EXPECT_GT(n_ended, 20);
}

}  // namespace
}  // namespace minke::constrain::testing
