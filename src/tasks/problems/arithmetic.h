// What the arithmetic tasks share: operands of a length, and the question for the value of an expression.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tasks/random.h"
#include "tasks/task.h"

namespace minke {

// A number of exactly so many digits; one digit includes zero.
int64_t number_of_digits(Draws& draws, int n_digits);

std::string ask_value(Draws& draws, Tongue tongue, std::string_view expression);
// With blanks around the operator in half of the questions.
std::string ask_value(Draws& draws, Tongue tongue, int64_t a, std::string_view operation, int64_t b);

}  // namespace minke
