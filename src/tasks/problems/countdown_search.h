// The search for a Countdown expression that a small model can imitate, and its trace.
//
// Two numbers: what they make, until it is the target. Three: for each number left out, the largest first, what the other two
// make and what the target needs ("7+3=10 7-3=4 7*3=21 | 29-25=4"), until a need is met; that covers every expression over
// positive integers. Four or more: a first step is guessed, "25+3=28: 28 7 4", and the rest searched as before.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace minke {

constexpr int64_t kMaxCountdownStep = 999;  // larger intermediate values are not considered

struct CountdownSearch {
  std::string trace;
  std::optional<std::string> expression;  // none: there is no solution with positive integers up to kMaxCountdownStep
};

// `n_false_starts`: with four numbers and a solution, how many first steps that lead nowhere stand before the right one.
CountdownSearch search_countdown(const std::vector<int64_t>& numbers, int64_t target, int n_false_starts);

// What a step makes of two numbers, a >= b > 0: no negative values, no fractions, no factors and divisors of one.
struct CountdownStep {
  char operation;
  int64_t value;
};
std::vector<CountdownStep> countdown_steps(int64_t a, int64_t b);

}  // namespace minke
