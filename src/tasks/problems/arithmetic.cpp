#include "tasks/problems/arithmetic.h"

#include <fmt/format.h>

#include <array>

#include "tasks/korean.h"
#include "tasks/procedural_task.h"

namespace minke {

int64_t number_of_digits(Draws& draws, int n_digits) {
  int64_t first = 1;
  for (int i = 1; i < n_digits; ++i) first *= 10;
  return draws.between(n_digits == 1 ? 0 : first, 10 * first - 1);
}

std::string ask_value(Draws& draws, Tongue tongue, std::string_view expression) {
  static constexpr std::array<Words, 4> kWays = {{
      {"What is {0}? Reply as \"Answer: number\".", "{2} 얼마인가요? \"답: 수\"로 답하세요."},
      {"Compute {0}. Reply as \"Answer: number\".", "{1} 계산하세요. \"답: 수\"로 답하세요."},
      {"{0} = ? Reply as \"Answer: number\".", "{0} = ? \"답: 수\"로 답하세요."},
      {"Find the value of {0}. Reply as \"Answer: number\".", "{0}의 값을 구하세요. \"답: 수\"로 답하세요."},
  }};
  return phrase(draws, tongue, kWays, expression, with_particle(expression, Particle::kObject),
                with_particle(expression, Particle::kTopic));
}

std::string ask_value(Draws& draws, Tongue tongue, int64_t a, std::string_view operation, int64_t b) {
  const std::string_view blank = draws.one_in(2) ? " " : "";
  return ask_value(draws, tongue, fmt::format("{}{}{}{}{}", a, blank, operation, blank, b));
}

}  // namespace minke
