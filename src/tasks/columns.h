// Arithmetic as on paper, one digit at a time from the ones: "5+8=13 [3] 4+2+1=7 [73] 3+0+0=3 [373]". Brackets hold the digits
// written so far; the carry of a column is the last term of the next.
#pragma once

#include <cstdint>
#include <string>

namespace minke {

std::string add_in_columns(int64_t a, int64_t b);       // a, b >= 0
std::string subtract_in_columns(int64_t a, int64_t b);  // a >= b >= 0
std::string multiply_by_digit(int64_t a, int64_t digit);

// Remainder by long division: "17%7=3 33%7=5" for 173 and 7. One step for each digit from the first prefix that is not below
// `divisor`; the last remainder is that of `number`.
std::string divide_by_digits(int64_t number, int64_t divisor);

}  // namespace minke
