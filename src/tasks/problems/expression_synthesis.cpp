// Find an expression in x from a table of its values. Graded by value on the shown and on hidden points, so neither a constant
// nor the table itself passes; a polynomial in any form does.
#include <algorithm>
#include <array>

#include "tasks/expression.h"
#include "tasks/problems/problems.h"
#include "tasks/procedural_task.h"

namespace minke {
namespace {

constexpr int kHardestSynthesis = 4;
constexpr int64_t kShown = 4;  // points 0..3: the difference of differences fixes a square
constexpr int64_t kFirstHidden = -5, kLastHidden = 9;

// a*x*x + b*x + c.
struct Polynomial {
  int64_t a, b, c;

  int64_t at(int64_t x) const { return a * x * x + b * x + c; }

  // "2*x*x-x+3".
  std::string text() const {
    std::string out;
    append(out, a, "x*x");
    append(out, b, "x");
    append(out, c, "");
    return out;
  }

 private:
  static void append(std::string& out, int64_t factor, std::string_view power) {
    if (factor == 0) return;
    if (factor < 0 || !out.empty()) out += factor < 0 ? '-' : '+';
    const int64_t size = std::abs(factor);
    if (power.empty()) {
      out += fmt::format("{}", size);
    } else {
      out += size == 1 ? std::string(power) : fmt::format("{}*{}", size, power);
    }
  }
};

int64_t draw_nonzero(Draws& draws, int64_t largest) {
  const int64_t size = draws.between(1, largest);
  return draws.one_in(2) ? size : -size;
}

Polynomial draw_polynomial(Draws& draws, int difficulty) {
  if (difficulty == 1)
    return draws.one_in(2) ? Polynomial{0, 1, draw_nonzero(draws, 50)} : Polynomial{0, draw_nonzero(draws, 20), 0};
  if (difficulty == 2) {
    const int64_t b = draw_nonzero(draws, 9);
    return {0, b, draw_nonzero(draws, 20)};
  }
  if (difficulty == 3) {
    const int64_t a = draw_nonzero(draws, 9);
    return {a, 0, draw_nonzero(draws, 20)};
  }
  const int64_t a = draw_nonzero(draws, 4), b = draw_nonzero(draws, 9);
  return {a, b, draws.between(-20, 20)};
}

// A number as the right-hand operand of a difference.
std::string operand(int64_t value) { return value < 0 ? fmt::format("({})", value) : fmt::format("{}", value); }

// Writes "9-5=4 15-9=6" and returns the differences.
std::vector<int64_t> note_differences(const std::vector<int64_t>& values, std::string& text) {
  std::vector<int64_t> differences;
  for (size_t i = 1; i < values.size(); ++i) {
    differences.push_back(values[i] - values[i - 1]);
    text += fmt::format("{}{}-{}={}", i == 1 ? "\n" : " ", values[i], operand(values[i - 1]), differences.back());
  }
  return differences;
}

std::string thought_of(const Polynomial& polynomial, Tongue tongue) {
  const Words opening = {"Take differences until they are equal.", "차이가 같아질 때까지 차이를 구한다."};
  std::string text = opening.in(tongue);
  std::vector<int64_t> values;
  for (int64_t x = 0; x < kShown; ++x) values.push_back(polynomial.at(x));
  const std::vector<int64_t> first = note_differences(values, text);
  if (polynomial.a != 0) {
    const std::vector<int64_t> second = note_differences(first, text);
    text += fmt::format("\n{}/2={} {}-{}={}", second[0], polynomial.a, first[0], operand(polynomial.a), polynomial.b);
  }
  text += "\n" + polynomial.text();
  constexpr int64_t kLast = kShown - 1;
  std::string check = polynomial.text();
  std::replace(check.begin(), check.end(), 'x', static_cast<char>('0' + kLast));
  return text + fmt::format("\n{}={}", check, polynomial.at(kLast));
}

class ExpressionSynthesis final : public ProceduralTask {
 public:
  std::string_view name() const override { return "expression_synthesis"; }
  int max_difficulty() const override { return kHardestSynthesis; }
  std::string describe(int difficulty) const override {
    static constexpr std::array<const char*, kHardestSynthesis> kForms = {"x+c or b*x", "b*x+c", "a*x*x+c", "a*x*x+b*x+c"};
    return fmt::format("four values of {}", kForms[static_cast<size_t>(difficulty - 1)]);
  }

  // "EXPRESSION" or "y = EXPRESSION".
  double grade(const Problem& problem, std::string_view content) const override {
    std::string_view text = final_answer(content);
    if (text.starts_with('y')) {
      text.remove_prefix(std::min(text.find_first_not_of(' ', 1), text.size()));
      if (!text.starts_with('=')) return 0;
      text.remove_prefix(1);
    }
    const std::optional<Expression> expression = Expression::parse(text, {.has_x = true, .has_minus_sign = true});
    if (!expression) return 0;
    for (const char* points : {"shown", "hidden"}) {
      for (const auto& point : problem.facts.at(points)) {
        if (expression->value(point.at(0)) != Rational{point.at(1), 1}) return 0;
      }
    }
    return 1;
  }

 protected:
  std::optional<Facts> draw(Draws& draws, int difficulty) const override {
    const Polynomial polynomial = draw_polynomial(draws, difficulty);
    Facts shown = Facts::array(), hidden = Facts::array();
    for (int64_t x = kFirstHidden; x <= kLastHidden; ++x) {
      (x >= 0 && x < kShown ? shown : hidden).push_back(Facts::array({x, polynomial.at(x)}));
    }
    return Facts{{"polynomial", {polynomial.a, polynomial.b, polynomial.c}}, {"shown", shown}, {"hidden", hidden}};
  }

  std::string canonical(const Facts& facts) const override { return facts.at("polynomial").dump(); }

  Telling tell(const Facts& facts, Tongue tongue, Draws& draws) const override {
    static constexpr std::array<Words, 3> kWays = {{
        {"Find y as an expression in x: {0}. Use integers, x, + - * and parentheses. Reply as \"Answer: expression\".",
         "y를 x의 식으로 나타내세요: {0}. 정수, x, + - * 와 괄호를 쓸 수 있습니다. \"답: 식\"으로 답하세요."},
        {"Which expression in x gives these values? {0}. Use integers, x, + - * and parentheses. Reply as \"Answer: "
         "expression\".",
         "다음 값을 내는 x의 식은 무엇인가요? {0}. 정수, x, + - * 와 괄호를 씁니다. \"답: 식\"으로 답하세요."},
        {"A table: {0}. Write its rule with x, integers, + - * and parentheses. Reply as \"Answer: expression\".",
         "표: {0}. 이 규칙을 x, 정수, + - * 와 괄호로 쓰세요. \"답: 식\"으로 답하세요."},
    }};
    std::vector<std::string> points;
    for (const auto& point : facts.at("shown")) {
      points.push_back(fmt::format("x={} y={}", point.at(0).get<int64_t>(), point.at(1).get<int64_t>()));
    }
    const auto& factors = facts.at("polynomial");
    const Polynomial polynomial{factors.at(0), factors.at(1), factors.at(2)};
    return {.question = phrase(draws, tongue, kWays, fmt::format("{}", fmt::join(points, ", "))),
            .thought = thought_of(polynomial, tongue),
            .result = polynomial.text()};
  }
};

}  // namespace

const Task& expression_synthesis() {
  static const ExpressionSynthesis task;
  return task;
}

}  // namespace minke
