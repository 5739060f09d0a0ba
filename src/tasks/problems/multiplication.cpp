// a*b by partial products: one row for each digit of b, then the rows added from the first to the last.
#include <algorithm>
#include <array>

#include "tasks/columns.h"
#include "tasks/problems/arithmetic.h"
#include "tasks/problems/problems.h"
#include "tasks/procedural_task.h"

namespace minke {
namespace {

struct Lengths {
  int a, b;
};
constexpr std::array<Lengths, 5> kLengths = {{{1, 1}, {2, 1}, {2, 2}, {3, 2}, {3, 3}}};  // by difficulty

// "47*6: 7*6=42 [2] 4*6+4=28 [282]", and "47*30=1410" where the digit is not of the ones.
std::string partial_product(int64_t a, int64_t digit, int64_t place) {
  std::string row = fmt::format("{}*{}: {}", a, digit, multiply_by_digit(a, digit));
  if (place > 1) row += fmt::format(" {}*{}={}", a, digit * place, a * digit * place);
  return row;
}

std::string thought_of(int64_t a, int64_t b, Tongue tongue) {
  const Words opening = {"Multiply digit by digit.", "한 자리씩 곱한다."};
  std::string text = fmt::format("{}\n", opening.in(tongue));
  int64_t sum = 0;
  for (int64_t place = 1; place <= b; place *= 10) {
    const int64_t digit = b / place % 10;
    if (digit == 0) continue;
    const int64_t product = a * digit * place;
    text += partial_product(a, digit, place) + "\n";
    if (sum != 0 && product != 0) text += fmt::format("{}+{}: {}\n", sum, product, add_in_columns(sum, product));
    sum += product;
  }
  return fmt::format("{}{}*{}={}", text, a, b, a * b);
}

class Multiplication final : public ProceduralTask {
 public:
  std::string_view name() const override { return "multiplication"; }
  int max_difficulty() const override { return static_cast<int>(kLengths.size()); }
  std::string describe(int difficulty) const override {
    const Lengths& lengths = kLengths[static_cast<size_t>(difficulty - 1)];
    return fmt::format("a*b of {} by {} digits, in either order", lengths.a, lengths.b);
  }

 protected:
  std::optional<Facts> draw(Draws& draws, int difficulty) const override {
    const Lengths& lengths = kLengths[static_cast<size_t>(difficulty - 1)];
    int64_t a = number_of_digits(draws, lengths.a), b = number_of_digits(draws, lengths.b);
    if (draws.one_in(2)) std::swap(a, b);
    return Facts{{"a", a}, {"b", b}};
  }

  std::string canonical(const Facts& facts) const override {
    const int64_t a = facts.at("a"), b = facts.at("b");
    return fmt::format("{}*{}", std::min(a, b), std::max(a, b));
  }

  Telling tell(const Facts& facts, Tongue tongue, Draws& draws) const override {
    const int64_t a = facts.at("a"), b = facts.at("b");
    static constexpr std::array<std::string_view, 2> kSigns = {"*", "×"};
    const std::string_view sign = draws.pick(kSigns);
    return {.question = ask_value(draws, tongue, a, sign, b),
            // The longer number on top, as on paper.
            .thought = thought_of(std::max(a, b), std::min(a, b), tongue),
            .result = fmt::format("{}", a * b)};
  }
};

}  // namespace

const Task& multiplication() {
  static const Multiplication task;
  return task;
}

}  // namespace minke
