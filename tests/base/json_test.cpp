#include "base/json.h"

#include <nlohmann/json.hpp>

#include "support/support.h"

namespace minke {
namespace {

TEST(Json, KeepsTheOrderOfKeys) {
  Json value = testing::value_of(parse_json(R"({"b":1,"a":[true,null,-2,0.5,"한글"]})", "x"));
  EXPECT_EQ(dump_json(value), R"({"b":1,"a":[true,null,-2,0.5,"한글"]})");
}

TEST(Json, RefusesDuplicateKeys) {
  EXPECT_ERROR(parse_json(R"({"a":1,"a":1})", "f.json"), "duplicate key \"a\"");
  EXPECT_ERROR(parse_json(R"({"o":{"k":1,"x":{},"k":2}})", "f.json"), "f.json");
}

TEST(Json, RefusesDeepNesting) {
  std::string deep(200, '[');
  EXPECT_ERROR(parse_json(deep + std::string(200, ']'), "f.json"), "deeper than 128");
  std::string fine = std::string(127, '[') + std::string(127, ']');
  EXPECT_TRUE(parse_json(fine, "f.json").has_value());
}

TEST(Json, RefusesTrailingBytesAndInvalidText) {
  for (const char* bad : {"", "{", "{} x", "{}{}", "[1,]", "nul", "\"\xff\"", "[01]", "{\"a\"}", "NaN", "1e999"}) {
    EXPECT_FALSE(parse_json(bad, "f").has_value()) << bad;
  }
}

TEST(Json, RefusesNulByteOrderMarkAndKeepsMessagesShort) {
  EXPECT_ERROR(parse_json(std::string_view("{}\0junk", 7), "f"), "byte 2: NUL");
  EXPECT_ERROR(parse_json("\xEF\xBB\xBF{}", "f"), "byte order mark");
  Result<Json> bad = parse_json("\"" + std::string(100000, 'a'), "f");
  ASSERT_FALSE(bad.has_value());
  EXPECT_LT(bad.error().message.size(), 400u);
}

}  // namespace
}  // namespace minke
