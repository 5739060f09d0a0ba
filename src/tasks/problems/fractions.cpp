// a/b + c/d, a/b - c/d, a/b * c/d; the answer is reduced. The thought takes the product of the denominators and divides by the
// greatest common divisor, which it finds by remainders.
#include <algorithm>
#include <utility>
#include <array>
#include <numeric>

#include "tasks/problems/problems.h"
#include "tasks/procedural_task.h"
#include "tasks/rational.h"

namespace minke {
namespace {

struct Question {
  int64_t a, b, c, d;
  char operation;

  std::string text() const { return fmt::format("{}/{}{}{}/{}", a, b, operation, c, d); }
};

Question question_of(const nlohmann::json& facts) {
  const auto& numbers = facts.at("numbers");
  return {numbers.at(0), numbers.at(1), numbers.at(2), numbers.at(3), facts.at("operator").get_ref<const std::string&>()[0]};
}

// The value before it is reduced.
struct Unreduced {
  int64_t numerator, denominator;
  std::string text;  // "(1*6+1*4)/(4*6)"
};

Unreduced combine(const Question& q) {
  if (q.operation == '*') return {q.a * q.c, q.b * q.d, fmt::format("({}*{})/({}*{})", q.a, q.c, q.b, q.d)};
  const int64_t sign = q.operation == '-' ? -1 : 1;
  if (q.b == q.d) return {q.a + sign * q.c, q.b, fmt::format("({}{}{})/{}", q.a, q.operation, q.c, q.b)};
  return {q.a * q.d + sign * q.c * q.b, q.b * q.d,
          fmt::format("({}*{}{}{}*{})/({}*{})", q.a, q.d, q.operation, q.c, q.b, q.b, q.d)};
}

std::string thought_of(const Question& q, Tongue tongue) {
  const Unreduced value = combine(q);
  const Words opening = {"Put it over one denominator, then reduce.", "분모를 하나로 모은 뒤 약분한다."};
  std::string text = fmt::format("{}\n{}={}={}/{}", opening.in(tongue), q.text(), value.text, value.numerator, value.denominator);
  if (value.numerator == 0) return text + "=0";
  int64_t divisor = std::abs(value.numerator), rest = value.denominator;
  if (divisor > rest) std::swap(divisor, rest);
  while (divisor != 0) {
    text += fmt::format("{}{}%{}={}", text.find('%') == std::string::npos ? "\n" : " ", rest, divisor, rest % divisor);
    rest = std::exchange(divisor, rest % divisor);
  }
  if (rest == 1) return text;
  text += fmt::format("\n{}/{}={}", value.numerator, rest, value.numerator / rest);
  return text + fmt::format(" {}/{}={}", value.denominator, rest, value.denominator / rest);
}

class Fractions final : public ProceduralTask {
 public:
  std::string_view name() const override { return "fractions"; }
  int max_difficulty() const override { return 3; }
  std::string describe(int difficulty) const override {
    return difficulty == 1   ? "sum or difference of two fractions with one denominator up to 9"
           : difficulty == 2 ? "sum or difference of two fractions with denominators up to 9"
                             : "sum, difference or product of two fractions with denominators up to 15";
  }

 protected:
  std::optional<Facts> draw(Draws& draws, int difficulty) const override {
    const int64_t largest = difficulty == 3 ? 15 : 9;
    const int64_t b = draws.between(2, largest), d = difficulty == 1 ? b : draws.between(2, largest);
    const int64_t a = draws.between(1, b - 1), c = draws.between(1, d - 1);
    const bool is_product = difficulty == 3 && draws.one_in(3);
    const char* operation = is_product ? "*" : draws.one_in(2) ? "+" : "-";
    return Facts{{"numbers", {a, b, c, d}}, {"operator", operation}};
  }

  std::string canonical(const Facts& facts) const override {
    Question q = question_of(facts);
    if (q.operation != '-' && std::pair(q.a, q.b) > std::pair(q.c, q.d)) {
      std::swap(q.a, q.c);
      std::swap(q.b, q.d);
    }
    return q.text();
  }

  Telling tell(const Facts& facts, Tongue tongue, Draws& draws) const override {
    static constexpr std::array<Words, 3> kWays = {{
        {"Compute {0} and reduce the fraction. Reply as \"Answer: p/q\" or a whole number.",
         "다음을 계산해 기약분수로 나타내세요: {0}. \"답: p/q\" 또는 정수로 답하세요."},
        {"What is {0} in lowest terms? Reply as \"Answer: p/q\" or a whole number.",
         "{0}의 값을 기약분수로 구하세요. \"답: p/q\" 또는 정수로 답하세요."},
        {"{0} = ? Give a reduced fraction. Reply as \"Answer: p/q\" or a whole number.",
         "{0} = ? 기약분수로 쓰세요. \"답: p/q\" 또는 정수로 답하세요."},
    }};
    const Question q = question_of(facts);
    const Unreduced value = combine(q);
    return {.question = phrase(draws, tongue, kWays, q.text()),
            .thought = thought_of(q, tongue),
            .result = to_string(make_rational(value.numerator, value.denominator).value())};
  }
};

}  // namespace

const Task& fractions() {
  static const Fractions task;
  return task;
}

}  // namespace minke
