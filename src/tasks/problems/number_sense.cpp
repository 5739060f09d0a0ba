// Four short questions about whole numbers: put them in order, tell the larger one, divisible or not, remainder.
#include <algorithm>
#include <array>

#include "tasks/columns.h"
#include "tasks/korean.h"
#include "tasks/problems/arithmetic.h"
#include "tasks/problems/problems.h"
#include "tasks/procedural_task.h"

namespace minke {
namespace {

using Numbers = std::vector<int64_t>;

struct Sizes {
  int n_sorted;
  int64_t largest_sorted;
  int n_digits;  // of compared and divided numbers
  int64_t largest_divisor;
};
constexpr std::array<Sizes, 4> kSizes = {{{3, 20, 2, 5}, {4, 99, 2, 9}, {5, 999, 3, 9}, {6, 999, 4, 12}}};  // by difficulty

Telling tell_sort(Numbers numbers, bool is_descending, Tongue tongue, Draws& draws) {
  static constexpr std::array<Words, 3> kUp = {{
      {"Sort in ascending order: {0}. Reply as \"Answer: numbers with commas\".",
       "작은 수부터 차례로 쓰세요: {0}. \"답: 쉼표로 나눈 수\"로 답하세요."},
      {"Put {0} in order, smallest first. Reply as \"Answer: numbers with commas\".",
       "{1} 오름차순으로 정렬하세요. \"답: 쉼표로 나눈 수\"로 답하세요."},
      {"Write these from smallest to largest: {0}. Reply as \"Answer: numbers with commas\".",
       "다음 수를 작은 것부터 늘어놓으세요: {0}. \"답: 쉼표로 나눈 수\"로 답하세요."},
  }};
  static constexpr std::array<Words, 3> kDown = {{
      {"Sort in descending order: {0}. Reply as \"Answer: numbers with commas\".",
       "큰 수부터 차례로 쓰세요: {0}. \"답: 쉼표로 나눈 수\"로 답하세요."},
      {"Put {0} in order, largest first. Reply as \"Answer: numbers with commas\".",
       "{1} 내림차순으로 정렬하세요. \"답: 쉼표로 나눈 수\"로 답하세요."},
      {"Write these from largest to smallest: {0}. Reply as \"Answer: numbers with commas\".",
       "다음 수를 큰 것부터 늘어놓으세요: {0}. \"답: 쉼표로 나눈 수\"로 답하세요."},
  }};
  const std::string list = fmt::format("{}", fmt::join(numbers, ", "));
  Telling out;
  out.question = phrase(draws, tongue, is_descending ? kDown : kUp, list, with_particle(list, Particle::kObject));
  const Words opening = is_descending ? Words{"Take the largest each time.", "가장 큰 수를 하나씩 고른다."}
                                      : Words{"Take the smallest each time.", "가장 작은 수를 하나씩 고른다."};
  out.thought = opening.in(tongue);
  Numbers sorted;
  while (!numbers.empty()) {
    const auto next =
        is_descending ? std::max_element(numbers.begin(), numbers.end()) : std::min_element(numbers.begin(), numbers.end());
    out.thought += fmt::format("\n{}: {}", fmt::join(numbers, " "), *next);
    sorted.push_back(*next);
    numbers.erase(next);
  }
  out.result = fmt::format("{}", fmt::join(sorted, ", "));
  return out;
}

Telling tell_compare(const Numbers& numbers, bool asks_larger, Tongue tongue, Draws& draws) {
  static constexpr std::array<Words, 2> kLarger = {{
      {"Which is larger, {0} or {2}? Reply as \"Answer: number\".",
       "{1} {2} 가운데 더 큰 수는 무엇인가요? \"답: 수\"로 답하세요."},
      {"Give the larger of {0} and {2}. Reply as \"Answer: number\".", "{1} {2} 중 큰 쪽을 고르세요. \"답: 수\"로 답하세요."},
  }};
  static constexpr std::array<Words, 2> kSmaller = {{
      {"Which is smaller, {0} or {2}? Reply as \"Answer: number\".",
       "{1} {2} 가운데 더 작은 수는 무엇인가요? \"답: 수\"로 답하세요."},
      {"Give the smaller of {0} and {2}. Reply as \"Answer: number\".",
       "{1} {2} 중 작은 쪽을 고르세요. \"답: 수\"로 답하세요."},
  }};
  const std::string a = fmt::format("{}", numbers[0]), b = fmt::format("{}", numbers[1]);
  Telling out;
  out.question = phrase(draws, tongue, asks_larger ? kLarger : kSmaller, a, with_particle(a, Particle::kAnd), b);
  const char* sign = numbers[0] < numbers[1] ? "<" : ">";
  if (a.size() != b.size()) {
    const Words opening = {"Count the digits.", "자릿수를 센다."};
    out.thought = fmt::format("{}\n{}{}{}", opening.in(tongue), a.size(), sign, b.size());
  } else {
    const Words opening = {"Compare from the left.", "왼쪽 자리부터 견준다."};
    out.thought = fmt::format("{}\n", opening.in(tongue));
    size_t i = 0;
    for (; a[i] == b[i]; ++i) out.thought += fmt::format("{}={} ", a[i], b[i]);
    out.thought += fmt::format("{}{}{}", a[i], sign, b[i]);
  }
  out.thought += fmt::format("\n{}{}{}", a, sign, b);
  out.result = (numbers[0] > numbers[1]) == asks_larger ? a : b;
  return out;
}

Telling tell_division(const Numbers& numbers, bool asks_remainder, Tongue tongue, Draws& draws) {
  static constexpr std::array<Words, 3> kRemainder = {{
      {"What is the remainder of {0} divided by {2}? Reply as \"Answer: number\".",
       "{1} {3} 나눈 나머지는 얼마인가요? \"답: 수\"로 답하세요."},
      {"Compute {0} mod {2}. Reply as \"Answer: number\".", "{0} mod {4} 계산하세요. \"답: 수\"로 답하세요."},
      {"Divide {0} by {2}; what is left over? Reply as \"Answer: number\".",
       "{1} {3} 나누면 몇이 남나요? \"답: 수\"로 답하세요."},
  }};
  static constexpr std::array<Words, 3> kDivisible = {{
      {"Is {0} divisible by {2}? Reply as \"Answer: yes\" or \"Answer: no\", one of them.",
       "{5} {3} 나누어떨어지나요? \"답: 예\"나 \"답: 아니요\" 가운데 하나로 답하세요."},
      {"Does {2} divide {0} without a remainder? Reply as \"Answer: yes\" or \"Answer: no\", one of them.",
       "{1} {3} 나누면 나머지가 없나요? \"답: 예\"나 \"답: 아니요\" 가운데 하나로 답하세요."},
      {"Is {0} a multiple of {2}? Reply as \"Answer: yes\" or \"Answer: no\", one of them.",
       "{5} {2}의 배수인가요? \"답: 예\"나 \"답: 아니요\" 가운데 하나로 답하세요."},
  }};
  const Words opening = {"Divide digit by digit, keep the rest.", "한 자리씩 나누어 나머지를 남긴다."};
  const Words is_multiple = {"Nothing is left: yes.", "나머지가 없다."}, is_none = {"Something is left: no.", "나머지가 있다."};
  const std::string a = fmt::format("{}", numbers[0]), b = fmt::format("{}", numbers[1]);
  const int64_t rest = numbers[0] % numbers[1];
  Telling out;
  out.question =
      phrase(draws, tongue, asks_remainder ? kRemainder : kDivisible, a, with_particle(a, Particle::kObject), b,
             with_particle(b, Particle::kBy), with_particle(b, Particle::kObject), with_particle(a, Particle::kTopic));
  out.thought = fmt::format("{}\n{}", opening.in(tongue), divide_by_digits(numbers[0], numbers[1]));
  if (asks_remainder) {
    out.result = fmt::format("{}", rest);
  } else {
    out.thought += fmt::format("\n{}", (rest == 0 ? is_multiple : is_none).in(tongue));
    out.result = yes_or_no(tongue, rest == 0);
  }
  return out;
}

class NumberSense final : public ProceduralTask {
 public:
  std::string_view name() const override { return "number_sense"; }
  int max_difficulty() const override { return static_cast<int>(kSizes.size()); }
  std::string describe(int difficulty) const override {
    const Sizes& sizes = kSizes[static_cast<size_t>(difficulty - 1)];
    return fmt::format("sort {} numbers, compare or divide numbers of {} digits, divisors up to {}", sizes.n_sorted,
                       sizes.n_digits, sizes.largest_divisor);
  }

 protected:
  std::optional<Facts> draw(Draws& draws, int difficulty) const override {
    static constexpr std::array<const char*, 4> kKinds = {"sort", "compare", "divisible", "remainder"};
    const Sizes& sizes = kSizes[static_cast<size_t>(difficulty - 1)];
    const std::string kind = draws.pick(kKinds);
    Numbers numbers;
    if (kind == "sort") {
      for (int i = 0; i < sizes.n_sorted; ++i) numbers.push_back(draws.between(0, sizes.largest_sorted));
    } else if (kind == "compare") {
      numbers = draw_pair_to_compare(draws, sizes.n_digits);
    } else {
      const int64_t number = number_of_digits(draws, sizes.n_digits), divisor = draws.between(2, sizes.largest_divisor);
      // Half of the questions about divisibility have a multiple.
      const bool is_rounded = kind == "divisible" && draws.one_in(2);
      numbers = {is_rounded ? number - number % divisor : number, divisor};
    }
    Numbers sorted = numbers;
    std::sort(sorted.begin(), sorted.end());
    if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) return std::nullopt;
    return Facts{{"kind", kind}, {"numbers", numbers}, {"is_reverse", draws.one_in(2)}};
  }

  // Neither the order of sorted or compared numbers nor which end is asked for makes another problem.
  std::string canonical(const Facts& facts) const override {
    const std::string kind = facts.at("kind");
    Numbers numbers = facts.at("numbers");
    const bool is_division = kind == "divisible" || kind == "remainder";
    if (!is_division) std::sort(numbers.begin(), numbers.end());
    return fmt::format("{} {}", is_division ? "divide" : kind, fmt::join(numbers, ","));
  }

  Telling tell(const Facts& facts, Tongue tongue, Draws& draws) const override {
    const std::string kind = facts.at("kind");
    const Numbers numbers = facts.at("numbers");
    const bool is_reverse = facts.at("is_reverse");
    if (kind == "sort") return tell_sort(numbers, is_reverse, tongue, draws);
    if (kind == "compare") return tell_compare(numbers, is_reverse, tongue, draws);
    return tell_division(numbers, kind == "remainder", tongue, draws);
  }

 private:
  // Half of the pairs agree in all but the last digits, where a glance does not tell.
  static Numbers draw_pair_to_compare(Draws& draws, int n_digits) {
    const int64_t a = number_of_digits(draws, n_digits);
    if (draws.one_in(2))
      return {a, number_of_digits(draws, static_cast<int>(draws.between(std::max(n_digits - 1, 1), n_digits)))};
    const int64_t block = n_digits <= 2 ? 10 : 100;
    return {a, a / block * block + draws.below(block)};
  }
};

}  // namespace

const Task& number_sense() {
  static const NumberSense task;
  return task;
}

}  // namespace minke
