#include "equations.h"

#include <cctype>
#include <cmath>
#include <limits>
#include <sstream>

namespace minke {
namespace {

constexpr const char* kCharacters = "0123456789+-*/%()=<>";
constexpr long double kNone = std::numeric_limits<long double>::quiet_NaN();

// Evaluates with a floating type: the numbers of thoughts are small enough to be exact, fractions to be told apart.
class Evaluator {
 public:
  explicit Evaluator(std::string text) : text_(std::move(text)) {}

  long double value() {
    const long double result = sum();
    return at_ == text_.size() ? result : kNone;
  }

 private:
  bool takes(const std::string& sign) {
    if (text_.compare(at_, sign.size(), sign) != 0) return false;
    at_ += sign.size();
    return true;
  }

  long double sum() {
    long double result = product();
    while (true) {
      if (takes("+")) {
        result += product();
      } else if (takes("-")) {
        result -= product();
      } else {
        return result;
      }
    }
  }

  long double product() {
    long double result = factor();
    while (true) {
      if (takes("*")) {
        result *= factor();
      } else if (takes("//")) {
        result = std::floor(result / factor());
      } else if (takes("/")) {
        result /= factor();
      } else if (takes("%")) {
        const long double divisor = factor();
        result -= divisor * std::floor(result / divisor);
      } else {
        return result;
      }
    }
  }

  long double factor() {
    if (takes("-")) return -factor();
    if (takes("(")) {
      const long double result = sum();
      return takes(")") ? result : kNone;
    }
    size_t n = 0;
    while (at_ + n < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_ + n]))) ++n;
    if (n == 0) return kNone;
    const long double result = std::stold(text_.substr(at_, n));
    at_ += n;
    return result;
  }

  std::string text_;
  size_t at_ = 0;
};

}  // namespace

std::vector<std::string> equations_in(const std::string& text) {
  std::vector<std::string> found;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    while (!word.empty() && std::string(".,:;").find(word.back()) != std::string::npos) word.pop_back();
    const bool is_relation = word.find_first_of("=<>") != std::string::npos;
    if (is_relation && word.find_first_not_of(kCharacters) == std::string::npos) found.push_back(word);
  }
  return found;
}

bool holds(const std::string& equation) {
  if (const size_t at = equation.find_first_of("<>"); at != std::string::npos) {
    const long double left = Evaluator(equation.substr(0, at)).value(), right = Evaluator(equation.substr(at + 1)).value();
    return equation[at] == '<' ? left < right : left > right;
  }
  std::istringstream sides(equation);
  std::vector<long double> values;
  for (std::string side; std::getline(sides, side, '=');) values.push_back(Evaluator(side).value());
  for (long double value : values) {
    if (!(std::abs(value - values.front()) < 1e-9L)) return false;  // also for NaN
  }
  return values.size() >= 2;
}

}  // namespace minke
