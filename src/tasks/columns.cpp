#include "tasks/columns.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace minke {
namespace {

// Digits, lowest first.
std::string digits_of(int64_t value) {
  std::string digits = fmt::format("{}", value);
  std::reverse(digits.begin(), digits.end());
  return digits;
}

int64_t digit_at(const std::string& digits, size_t i) { return i < digits.size() ? digits[i] - '0' : 0; }

// The columns written so far, in the two forms of the trace: the steps, and the digits of the result.
class Columns {
 public:
  // A column comes to `total`; the last one keeps all its digits.
  void write(const std::string& step, int64_t total, bool is_last) {
    written_ = fmt::format("{}{}", is_last ? total : total % 10, written_);
    text_ += fmt::format("{}{}={} [{}]", text_.empty() ? "" : " ", step, total, written_);
  }
  std::string text() { return std::move(text_); }

 private:
  std::string text_, written_;
};

}  // namespace

std::string add_in_columns(int64_t a, int64_t b) {
  CHECK(a >= 0 && b >= 0, "a={} b={}", a, b);
  const std::string x = digits_of(a), y = digits_of(b);
  const size_t n = std::max(x.size(), y.size());
  Columns columns;
  int64_t carry = 0;
  for (size_t i = 0; i < n; ++i) {
    const int64_t total = digit_at(x, i) + digit_at(y, i) + carry;
    const std::string step = fmt::format("{}+{}", digit_at(x, i), digit_at(y, i)) + (i == 0 ? "" : fmt::format("+{}", carry));
    columns.write(step, total, i + 1 == n);
    carry = total / 10;
  }
  return columns.text();
}

std::string subtract_in_columns(int64_t a, int64_t b) {
  CHECK(a >= b && b >= 0, "a={} b={}", a, b);
  const std::string x = digits_of(a), y = digits_of(b);
  Columns columns;
  int64_t borrow = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const bool borrows = digit_at(x, i) - borrow < digit_at(y, i);
    const int64_t top = digit_at(x, i) + (borrows ? 10 : 0);
    const std::string step = fmt::format("{}-{}", top, digit_at(y, i)) + (i == 0 ? "" : fmt::format("-{}", borrow));
    columns.write(step, top - digit_at(y, i) - borrow, i + 1 == x.size());
    borrow = borrows ? 1 : 0;
  }
  return columns.text();
}

std::string multiply_by_digit(int64_t a, int64_t digit) {
  CHECK(a >= 0 && digit >= 0 && digit <= 9, "a={} digit={}", a, digit);
  const std::string x = digits_of(a);
  Columns columns;
  int64_t carry = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const int64_t total = digit_at(x, i) * digit + carry;
    const std::string step = fmt::format("{}*{}", digit_at(x, i), digit) + (i == 0 ? "" : fmt::format("+{}", carry));
    columns.write(step, total, i + 1 == x.size());
    carry = total / 10;
  }
  return columns.text();
}

std::string divide_by_digits(int64_t number, int64_t divisor) {
  CHECK(number >= 0 && divisor > 0, "number={} divisor={}", number, divisor);
  std::string text;
  int64_t rest = 0;
  const std::string digits = fmt::format("{}", number);
  for (size_t i = 0; i < digits.size(); ++i) {
    const int64_t prefix = 10 * rest + (digits[i] - '0');
    rest = prefix % divisor;
    const bool is_before_first = text.empty() && prefix < divisor && i + 1 < digits.size();
    if (!is_before_first) text += fmt::format("{}{}%{}={}", text.empty() ? "" : " ", prefix, divisor, rest);
  }
  return text;
}

}  // namespace minke
