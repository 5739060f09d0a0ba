// a+b and a-b, by columns.
#include <algorithm>
#include <array>

#include "tasks/columns.h"
#include "tasks/korean.h"
#include "tasks/problems/arithmetic.h"
#include "tasks/problems/problems.h"
#include "tasks/procedural_task.h"

namespace minke {
namespace {

constexpr int kMaxDigits = 5;

std::string thought_of_sum(int64_t a, int64_t b, Tongue tongue) {
  const Words opening = {"Add from the ones.", "일의 자리부터 더한다."};
  return fmt::format("{}\n{}\n{}+{}={}", opening.in(tongue), add_in_columns(a, b), a, b, a + b);
}

std::string thought_of_difference(int64_t a, int64_t b, Tongue tongue) {
  const Words opening = {"Subtract from the ones.", "일의 자리부터 뺀다."};
  const Words swapped = {" {0}<{1}, so it is -({1}-{0}).", " {0}<{1}이므로 -({1}-{0})을 구한다."};
  std::string text = opening.in(tongue);
  if (a < b) text += fmt::format(fmt::runtime(swapped.in(tongue)), a, b);
  return fmt::format("{}\n{}\n{}-{}={}", text, subtract_in_columns(std::max(a, b), std::min(a, b)), a, b, a - b);
}

class ArithmeticAddition final : public ProceduralTask {
 public:
  std::string_view name() const override { return "arithmetic_addition"; }
  int max_difficulty() const override { return kMaxDigits; }
  std::string describe(int difficulty) const override {
    return fmt::format("a+b and a-b where the longer number has {} digit{}", difficulty, difficulty == 1 ? "" : "s");
  }

 protected:
  std::optional<Facts> draw(Draws& draws, int difficulty) const override {
    const int64_t n_other_digits = draws.one_in(2) ? difficulty : draws.between(1, difficulty);
    int64_t a = number_of_digits(draws, difficulty);
    int64_t b = number_of_digits(draws, static_cast<int>(n_other_digits));
    const bool is_sum = draws.one_in(2);
    // A sum may begin with either number; of the differences one in eight is below zero.
    const bool has_small_first = is_sum ? draws.one_in(2) : draws.one_in(8);
    if ((a < b) != has_small_first) std::swap(a, b);
    return Facts{{"a", a}, {"b", b}, {"operator", is_sum ? "+" : "-"}};
  }

  std::string canonical(const Facts& facts) const override {
    auto [a, b] = std::pair(facts.at("a").get<int64_t>(), facts.at("b").get<int64_t>());
    const bool is_sum = facts.at("operator") == "+";
    return is_sum ? fmt::format("{}+{}", std::min(a, b), std::max(a, b)) : fmt::format("{}-{}", a, b);
  }

  Telling tell(const Facts& facts, Tongue tongue, Draws& draws) const override {
    const int64_t a = facts.at("a"), b = facts.at("b");
    const bool is_sum = facts.at("operator") == "+";
    return {.question = ask_value(draws, tongue, a, is_sum ? "+" : "-", b),
            .thought = is_sum ? thought_of_sum(a, b, tongue) : thought_of_difference(a, b, tongue),
            .result = fmt::format("{}", is_sum ? a + b : a - b)};
  }
};

}  // namespace

const Task& arithmetic_addition() {
  static const ArithmeticAddition task;
  return task;
}

}  // namespace minke
