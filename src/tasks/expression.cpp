#include "tasks/expression.h"

#include "base/check.h"
#include "base/utf8.h"

namespace minke {

namespace {
constexpr size_t kLongestExpression = 256;
constexpr int kDeepestExpression = 32;
constexpr int64_t kMaxInteger = 999'999'999;

}  // namespace

class ExpressionParser {
 public:
  ExpressionParser(std::string_view text, Grammar grammar) : rest_(text), grammar_(grammar) {}

  std::optional<Expression> parse() {
    if (rest_.size() > kLongestExpression || !sum(0) || peek() != '\0' || !rest_.empty()) return std::nullopt;
    return std::move(out_);
  }

 private:
  // The next character that is no blank; '\0' at the end.
  char peek() {
    while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
    return rest_.empty() ? '\0' : rest_.front();
  }

  bool sum(int depth) {
    if (!product(depth)) return false;
    while (peek() == '+' || peek() == '-') {
      if (!operand_after(&ExpressionParser::product, depth)) return false;
    }
    return true;
  }

  bool product(int depth) {
    if (!factor(depth)) return false;
    while (peek() == '*' || peek() == '/') {
      if (!operand_after(&ExpressionParser::factor, depth)) return false;
    }
    return true;
  }

  bool operand_after(bool (ExpressionParser::*operand)(int), int depth) {
    const char kind = rest_.front();
    rest_.remove_prefix(1);
    if (!(this->*operand)(depth)) return false;
    out_.steps_.push_back({kind});
    return true;
  }

  bool factor(int depth) {
    if (depth > kDeepestExpression) return false;
    const char c = peek();
    if (is_ascii_digit(c)) return integer();
    if (c != '(' && !(c == 'x' && grammar_.has_x) && !(c == '-' && grammar_.has_minus_sign)) return false;
    rest_.remove_prefix(1);
    if (c == 'x') {
      out_.steps_.push_back({'x'});
      return true;
    }
    if (c == '-') {
      if (!factor(depth + 1)) return false;
      out_.steps_.push_back({'~'});
      return true;
    }
    if (!sum(depth + 1) || peek() != ')') return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool integer() {
    const bool is_zero = rest_.front() == '0';
    int64_t value = 0;
    size_t n_digits = 0;
    for (; n_digits < rest_.size() && is_ascii_digit(rest_[n_digits]); ++n_digits) {
      value = 10 * value + (rest_[n_digits] - '0');
      if (value > kMaxInteger) return false;
    }
    if (is_zero && n_digits > 1) return false;
    rest_.remove_prefix(n_digits);
    out_.steps_.push_back({'#', value});
    return true;
  }

  std::string_view rest_;
  Grammar grammar_;
  Expression out_;
};

std::optional<Expression> Expression::parse(std::string_view text, Grammar grammar) {
  return ExpressionParser(text, grammar).parse();
}

std::optional<Rational> Expression::value(int64_t x) const {
  std::vector<Rational> stack;
  for (const Step& step : steps_) {
    if (step.kind == '#' || step.kind == 'x') {
      stack.push_back({step.kind == 'x' ? x : step.integer, 1});
      continue;
    }
    const Rational right = stack.back();
    stack.pop_back();
    std::optional<Rational> result;
    if (step.kind == '~') {
      result = Rational{-right.numerator, right.denominator};
    } else {
      const Rational left = stack.back();
      stack.pop_back();
      result = step.kind == '+'   ? add(left, right)
               : step.kind == '-' ? subtract(left, right)
               : step.kind == '*' ? multiply(left, right)
                                  : divide(left, right);
    }
    if (!result) return std::nullopt;
    stack.push_back(*result);
  }
  CHECK(stack.size() == 1, "{} values are left", stack.size());
  return stack.front();
}

std::vector<int64_t> Expression::integers() const {
  std::vector<int64_t> out;
  for (const Step& step : steps_) {
    if (step.kind == '#') out.push_back(step.integer);
  }
  return out;
}

}  // namespace minke
