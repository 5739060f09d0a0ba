#include "tasks/compare/expression.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/utf8.h"
#include "tasks/compare/clean.h"

namespace minke::compare {
namespace {

constexpr int kMaxDepth = 48;
constexpr size_t kMaxDigits = 1500;
constexpr unsigned long kMaxFactorial = 300;

constexpr std::array<std::string_view, 19> kFunctions = {"sin",    "cos",    "tan",  "cot",  "sec",  "csc", "arcsin",
                                                         "arccos", "arctan", "sinh", "cosh", "tanh", "log", "ln",
                                                         "exp",    "max",    "min",  "gcd",  "lcm"};
constexpr std::array<std::string_view, 22> kGreek = {"alpha", "beta",   "gamma", "delta", "epsilon", "zeta", "eta",   "theta",
                                                     "kappa", "lambda", "mu",    "nu",    "xi",      "rho",  "sigma", "tau",
                                                     "phi",   "varphi", "chi",   "psi",   "omega",   "ell"};


template <size_t n>
bool is_in(const std::array<std::string_view, n>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class Parser {
 public:
  Parser(std::string_view text, Algebra& algebra) : text_(text), algebra_(algebra) {}

  std::optional<Formula> run() {
    Quotient value = sum();
    if (peek() != '\0') algebra_.fail();
    if (algebra_.failed()) return std::nullopt;
    return Formula{value, n_operations_ == 0 && n_fractions_ <= 1, n_fractions_ > 0};
  }

 private:
  // The next character that is no space; NUL at the end and after a failure.
  char peek() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    return at_ < text_.size() && !algebra_.failed() ? text_[at_] : '\0';
  }
  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view word) {
    peek();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  Quotient failure() {
    algebra_.fail();
    return {};
  }
  std::string_view digits() {
    size_t begin = at_;
    while (at_ < text_.size() && is_ascii_digit(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  Quotient sum() {
    if (++depth_ > kMaxDepth) return failure();
    bool negative = take('-');
    if (!negative) take('+');
    Quotient value = product();
    if (negative) value = algebra_.negated(value);
    while (peek() == '+' || peek() == '-') {
      ++n_operations_;
      negative = take('-');
      if (!negative) take('+');
      if (take('-')) negative = !negative;  // "3 + -2"
      Quotient next = product();
      value = algebra_.add(value, negative ? algebra_.negated(next) : next);
    }
    --depth_;
    return value;
  }

  bool starts_factor(char c) const {
    return is_ascii_letter(c) || c == '(' || c == '{' || c == '\\' || c == kPi || c == '[' || (c == '|' && n_open_bars_ == 0);
  }

  Quotient product() {
    Quotient value = factor();
    bool divided = false;
    for (;;) {
      char c = peek();
      if (c == '*') {
        ++at_;
        ++n_operations_;
        value = algebra_.multiply(value, signed_factor());
        divided = false;
      } else if (c == '/') {
        ++at_;
        ++n_fractions_;
        value = algebra_.multiply(value, algebra_.inverse(signed_factor()));
        divided = true;
      } else if (starts_factor(c)) {
        if (divided) return failure();  // 1/2x: nobody knows which half the x is in
        ++n_operations_;
        value = algebra_.multiply(value, factor());
      } else {
        return value;
      }
    }
  }

  Quotient signed_factor() {
    if (take('-')) return algebra_.negated(factor());
    return factor();
  }

  Quotient factor() {
    Quotient value = atom();
    while (take('!')) {
      ++n_operations_;
      value = factorial(value);
    }
    if (take('^')) {
      ++n_operations_;
      Quotient exponent = raised();
      value = algebra_.power(value, exponent);
    }
    return value;
  }

  Quotient raised() {
    if (++depth_ > kMaxDepth) return failure();
    Quotient value = take('-') ? algebra_.negated(atom()) : atom();
    if (take('^')) value = algebra_.power(value, raised());
    --depth_;
    return value;
  }

  Quotient factorial(const Quotient& of) {
    if (algebra_.failed()) return of;
    if (!is_rational(of)) return algebra_.apply("!", of);
    mpq_class n = rational_of(of);
    if (n < 0 || n > kMaxFactorial || n.get_den() != 1) return failure();
    mpz_class out;
    mpz_fac_ui(out.get_mpz_t(), n.get_num().get_ui());
    return algebra_.number(out);
  }

  Quotient atom() {
    char c = peek();
    if (is_ascii_digit(c) || c == '.') return number();
    if (c == '(') return group(')');
    if (c == '[') return group(']');
    if (c == '{') return group('}');
    if (c == '|') return absolute();
    if (c == '\\') return command();
    if (is_ascii_letter(c)) return letter();
    if (take(kPi)) {
      ++n_operations_;
      return algebra_.atom("pi");
    }
    return failure();
  }

  Quotient group(char close) {
    ++at_;
    int bars = std::exchange(n_open_bars_, 0);
    Quotient value = sum();
    n_open_bars_ = bars;
    return take(close) ? value : failure();
  }

  Quotient absolute() {
    ++at_;
    ++n_open_bars_;
    ++n_operations_;
    Quotient value = sum();
    --n_open_bars_;
    if (!take('|')) return failure();
    if (is_rational(value)) return algebra_.number(abs(rational_of(value)));
    return algebra_.apply("abs", value);
  }

  Quotient number() {
    std::string_view whole = digits(), part;
    bool has_point = at_ < text_.size() && text_[at_] == '.';
    if (has_point) {
      ++at_;
      part = digits();
    }
    if (whole.size() + part.size() > kMaxDigits || whole.size() + part.size() == 0) return failure();
    if (!has_point && at_ < text_.size() && text_[at_] == '_') return with_base(whole);
    mpz_class scale;
    mpz_ui_pow_ui(scale.get_mpz_t(), 10, part.size());
    mpq_class value(mpz_class(std::string(whole) + std::string(part), 10), scale);
    value.canonicalize();
    value *= power_of_ten();
    if (!has_point) value += fraction_of_mixed_number();
    return algebra_.number(value);
  }

  // e5, *10^5, *10^{-5} after a number; 1 where none stands.
  mpq_class power_of_ten() {
    size_t before = at_;
    bool braces = false, found = false;
    if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      ++at_;
      found = true;
    } else if (take('*') && take("10") && take('^')) {
      braces = take('{');
      found = true;
    }
    bool negative = found && at_ < text_.size() && text_[at_] == '-';
    if (found && at_ < text_.size() && (text_[at_] == '-' || text_[at_] == '+')) ++at_;
    std::string_view exponent = found ? digits() : std::string_view();
    if (exponent.empty() || exponent.size() > 3 || (braces && !take('}'))) {
      at_ = before;
      return 1;
    }
    mpz_class power;
    mpz_ui_pow_ui(power.get_mpz_t(), 10, std::stoul(std::string(exponent)));
    return negative ? mpq_class(mpz_class(1), power) : mpq_class(power);
  }

  // 1\frac{4}{5} and "1 4/5" after an integer; 0 where none stands. An improper fraction is a factor, not a part.
  mpq_class fraction_of_mixed_number() {
    size_t before = at_;
    bool spaced = at_ < text_.size() && text_[at_] == ' ';
    std::string_view above, below;
    if (take("\\frac")) {
      above = frac_digits();
      below = frac_digits();
    } else if (spaced && is_ascii_digit(peek())) {
      above = digits();
      if (take('/')) below = digits();
    }
    if (!above.empty() && !below.empty() && above.size() < 18 && below.size() < 18) {
      mpq_class value(mpz_class(std::string(above), 10), mpz_class(std::string(below), 10));
      if (value.get_den() != 0 && value.get_num() < value.get_den()) {
        value.canonicalize();
        return value;
      }
    }
    at_ = before;
    return 0;
  }

  std::string_view frac_digits() {
    if (take('{')) {
      peek();
      std::string_view out = digits();
      return take('}') ? out : std::string_view();
    }
    return is_ascii_digit(peek()) ? text_.substr(at_++, 1) : std::string_view();
  }

  // 52_8 is a word about digits, not a value: it equals the same digits with the same base only.
  Quotient with_base(std::string_view number_digits) {
    ++n_operations_;
    ++at_;
    bool braces = take('{');
    peek();
    std::string_view base = digits();
    if (base.empty() || (braces && !take('}'))) return failure();
    return algebra_.atom("base" + std::string(base) + ":" + std::string(number_digits));
  }

  Quotient letter() {
    size_t end = at_;
    while (end < text_.size() && is_ascii_letter(text_[end])) ++end;
    std::string_view run = text_.substr(at_, end - at_);
    ++n_operations_;
    if (run == "pi" || run == "sqrt" || is_in(kFunctions, run)) {
      at_ = end;
      if (run == "pi") return algebra_.atom("pi");
      return run == "sqrt" ? root() : function(run);
    }
    if (run.size() > 3) return failure();  // a word
    return variable(std::string(text_.substr(at_++, 1)));
  }

  Quotient variable(std::string name) {
    if (at_ < text_.size() && text_[at_] == '_') {
      ++at_;
      bool braces = take('{');
      size_t begin = at_;
      while (at_ < text_.size() && (is_ascii_digit(text_[at_]) || is_ascii_letter(text_[at_])) && (braces || at_ == begin)) ++at_;
      if (at_ == begin) return failure();
      name += "_" + std::string(text_.substr(begin, at_ - begin));
      if (braces && !take('}')) return failure();
    }
    return algebra_.atom(std::move(name));
  }

  Quotient command() {
    size_t begin = ++at_;
    while (at_ < text_.size() && is_ascii_letter(text_[at_])) ++at_;
    std::string_view name = text_.substr(begin, at_ - begin);
    if (name == "frac") {
      ++n_fractions_;
      Quotient above = argument();
      return algebra_.multiply(above, algebra_.inverse(argument()));
    }
    ++n_operations_;
    if (name == "sqrt") return root();
    if (name == "binom" || name == "dbinom") return binomial();
    if (is_in(kFunctions, name)) return function(name);
    return is_in(kGreek, name) ? variable(std::string(name)) : failure();
  }

  // What stands after \frac or \sqrt: a group or one character.
  Quotient argument() {
    char c = peek();
    if (is_ascii_digit(c)) return algebra_.number(text_[at_++] - '0');
    if (is_ascii_letter(c)) return algebra_.atom(std::string(1, text_[at_++]));
    return atom();
  }

  Quotient root() {
    Quotient degree = algebra_.number(2);
    if (peek() == '[') degree = group(']');
    // \sqrt13 is the root of 1, times 3, to TeX, and the root of 13 to people.
    if (is_ascii_digit(peek()) && at_ + 1 < text_.size() && (is_ascii_digit(text_[at_ + 1]) || text_[at_ + 1] == '.')) return failure();
    Quotient of = argument();
    return algebra_.power(of, algebra_.inverse(degree), RootOf::kReal);
  }

  Quotient binomial() {
    Quotient n = argument(), k = argument();
    if (algebra_.failed() || !is_rational(n) || !is_rational(k)) return failure();
    mpq_class top = rational_of(n), bottom = rational_of(k);
    if (top.get_den() != 1 || bottom.get_den() != 1 || bottom < 0 || bottom > kMaxFactorial || abs(top) > 100'000)
      return failure();
    mpz_class out;
    mpz_bin_ui(out.get_mpz_t(), top.get_num_mpz_t(), bottom.get_num().get_ui());
    return algebra_.number(out);
  }

  Quotient function(std::string_view name) {
    if (++depth_ > kMaxDepth) return failure();
    std::string label(name);
    if (peek() == '_') {
      ++at_;
      label += "_" + key(argument());
    }
    std::optional<Quotient> exponent;
    if (take('^')) exponent = raised();
    Quotient of;
    if (peek() == '(' || peek() == '{' || peek() == '[') {
      of = atom();
    } else {
      of = factor();
      while (starts_factor(peek()) && !at_function()) of = algebra_.multiply(of, factor());
    }
    Quotient value = name == "exp" ? algebra_.power(algebra_.atom("e"), of) : algebra_.apply(label, of);
    --depth_;
    return exponent ? algebra_.power(value, *exponent) : value;
  }

  std::string key(const Quotient& value) {
    Quotient named = algebra_.apply("", value);
    return named.above.empty() ? std::string() : named.above.begin()->first.begin()->first;
  }

  bool at_function() const {
    size_t begin = at_ < text_.size() && text_[at_] == '\\' ? at_ + 1 : at_, end = begin;
    while (end < text_.size() && is_ascii_letter(text_[end])) ++end;
    return is_in(kFunctions, text_.substr(begin, end - begin));
  }

  std::string_view text_;
  Algebra& algebra_;
  size_t at_ = 0;
  int depth_ = 0;
  int n_open_bars_ = 0;
  int n_operations_ = 0;
  int n_fractions_ = 0;
};

}  // namespace

std::optional<Formula> parse_expression(std::string_view cleaned, Algebra& algebra) {
  return Parser(cleaned, algebra).run();
}

}  // namespace minke::compare
