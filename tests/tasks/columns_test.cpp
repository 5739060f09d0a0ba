// Arithmetic by columns: the digits written at the end are those of the result, and each step follows from the one before.
#include "tasks/columns.h"

#include <gtest/gtest.h>

#include "tasks/random.h"

namespace minke {
namespace {

// "5+8=13 [3] 4+2+1=7 [73]" -> 73.
int64_t written(const std::string& columns) {
  const size_t open = columns.rfind('[');
  return std::stoll(columns.substr(open + 1, columns.size() - open - 2));
}

TEST(Columns, LookAsOnPaper) {
  EXPECT_EQ(add_in_columns(345, 28), "5+8=13 [3] 4+2+1=7 [73] 3+0+0=3 [373]");
  EXPECT_EQ(add_in_columns(95, 28), "5+8=13 [3] 9+2+1=12 [123]");
  EXPECT_EQ(subtract_in_columns(345, 28), "15-8=7 [7] 4-2-1=1 [17] 3-0-0=3 [317]");
  EXPECT_EQ(subtract_in_columns(1000, 1), "10-1=9 [9] 10-0-1=9 [99] 10-0-1=9 [999] 1-0-1=0 [0999]");
  EXPECT_EQ(multiply_by_digit(47, 6), "7*6=42 [2] 4*6+4=28 [282]");
  EXPECT_EQ(divide_by_digits(173, 7), "17%7=3 33%7=5");
  EXPECT_EQ(divide_by_digits(5, 7), "5%7=5");
  EXPECT_EQ(divide_by_digits(700, 7), "7%7=0 0%7=0 0%7=0");
}

TEST(Columns, EndWithTheResult) {
  Draws draws(1);
  for (int i = 0; i < 2000; ++i) {
    const int64_t a = draws.below(100'000), b = draws.below(a + 1), digit = draws.below(10), divisor = draws.between(1, 12);
    ASSERT_EQ(written(add_in_columns(b, a)), a + b) << a << " " << b;
    ASSERT_EQ(written(subtract_in_columns(a, b)), a - b) << a << " " << b;
    ASSERT_EQ(written(multiply_by_digit(a, digit)), a * digit) << a << " " << digit;
    const std::string division = divide_by_digits(a, divisor);
    ASSERT_EQ(std::stoll(division.substr(division.rfind('=') + 1)), a % divisor) << a << " " << divisor;
  }
}

}  // namespace
}  // namespace minke
