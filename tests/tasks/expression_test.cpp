// The parser of expressions and its exact values.
#include "tasks/expression.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace minke {
namespace {

constexpr Grammar kPlain{}, kWithX{.has_x = true, .has_minus_sign = true};

std::string value_of(std::string_view text, Grammar grammar = kPlain, int64_t x = 0) {
  const auto expression = Expression::parse(text, grammar);
  if (!expression) return "does not parse";
  const auto value = expression->value(x);
  return value ? to_string(*value) : "no value";
}

TEST(Expression, HasPrecedenceAndExactValues) {
  EXPECT_EQ(value_of("1+2*3"), "7");
  EXPECT_EQ(value_of("(1+2)*3"), "9");
  EXPECT_EQ(value_of("10-2-3"), "5");
  EXPECT_EQ(value_of("24/4/3"), "2");
  EXPECT_EQ(value_of("8/(3-8/3)"), "24");
  EXPECT_EQ(value_of("1/3+1/6"), "1/2");
  EXPECT_EQ(value_of("1/3-1/2"), "-1/6");
  EXPECT_EQ(value_of(" ( 7 ) "), "7");
  EXPECT_EQ(value_of("0"), "0");
}

TEST(Expression, HasAVariableOnlyWhereAllowed) {
  EXPECT_EQ(value_of("2*x*x-x+3", kWithX, 4), "31");
  EXPECT_EQ(value_of("-x*x+(-3)", kWithX, 2), "-7");
  EXPECT_EQ(value_of("--x", kWithX, 2), "2");
  for (const char* text : {"x", "-3", "+3", "2-(-3)", "2*-3"}) EXPECT_EQ(value_of(text), "does not parse") << text;
}

TEST(Expression, RefusesEverythingElse) {
  for (const char* text : {"",      " ",     "()",  "1+",    "*2",   "1 2", "2(3)",       "(1",
                           "1)",    "1..2",  "1.5", "2^3",   "2**3", "3!",  "1e3",        "0x10",
                           "007",   "01",    "1,2", "1=1",   "2x",   "x2",  "sqrt(4)",    "1+2;3",
                           "1\n+2", "1\t+2", "٣",   "３+４", "1−2",  "2×3", "1000000000", "99999999999999999999999"}) {
    EXPECT_EQ(value_of(text), "does not parse") << text;
    if (std::string(text).find('x') == std::string::npos || std::string(text) == "0x10" || std::string(text) == "2x") {
      EXPECT_EQ(value_of(text, kWithX), "does not parse") << text;
    }
  }
  EXPECT_EQ(value_of(std::string_view("1\0+2", 4)), "does not parse");
  EXPECT_EQ(value_of(std::string_view("1+2\0", 4)), "does not parse");
}

TEST(Expression, HasLimits) {
  const auto nested = [](size_t depth) { return std::string(depth, '(') + "1" + std::string(depth, ')'); };
  EXPECT_EQ(value_of(nested(32)), "1");
  EXPECT_EQ(value_of(nested(33)), "does not parse");
  EXPECT_EQ(value_of(std::string(40, '-') + "1", kWithX), "does not parse");
  std::string sum = "1";
  while (sum.size() + 2 <= 256) sum += "+1";
  EXPECT_EQ(value_of(sum), "128");
  EXPECT_EQ(value_of(sum + "  "), "does not parse");
  EXPECT_EQ(value_of(std::string(1 << 20, '(')), "does not parse");
}

TEST(Expression, HasNoValuePastItsIntegersOrOverZero) {
  EXPECT_EQ(value_of("1/0"), "no value");
  EXPECT_EQ(value_of("0/0"), "no value");
  EXPECT_EQ(value_of("5/(3-3)"), "no value");
  EXPECT_EQ(value_of("0*(1/0)"), "no value");
  EXPECT_EQ(value_of("999999999*999999999*999999999"), "no value");
  EXPECT_EQ(value_of("1/999999999/999999999/999999999"), "no value");
  EXPECT_EQ(value_of("x-1", kWithX, -std::numeric_limits<int64_t>::max()), "no value");
}

TEST(Expression, KnowsItsIntegers) {
  EXPECT_EQ(Expression::parse("(3+25)*7-3", kPlain)->integers(), (std::vector<int64_t>{3, 25, 7, 3}));
}

}  // namespace
}  // namespace minke
