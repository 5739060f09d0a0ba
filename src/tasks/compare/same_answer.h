// Whether two written answers have the same value. Exact: no floating point, no tolerance; 0.333 is not 1/3, and 3.14 is not
// pi.
//
// What is read: integers of any size, decimals, scientific notation, fractions, mixed numbers, percent, degrees, money, units,
// pi, radicals, complex numbers, polynomials and other expressions (algebra.h), intervals and inequalities, tuples, sets,
// matrices, ratios, equations, +-, "a or b", digits with a base, yes/no/true/false, choice letters, words; as LaTeX, plain
// text, English or Korean. What is read neither way is compared as words, without regard to case.
//
// Rules that a reader may not expect, each chosen so that different values are never equal and no calculation is accepted
// in place of its result:
//  - an expected number wants a number: "3*5", "10+5", "2^10" are no answers to 15, 15, 1024, and "30/2" is none to 15; for a
//    fraction any terms do ("2/4" for 1/2, 0.5 too);
//  - a unit on one side only is passed over, percent among them: "50%" is "50" and is not "0.5"; different units are never
//  equal
//    (nothing is converted);
//  - "1,000" is a number outside brackets, two numbers within them; lists without brackets and sets have no order, tuples have;
//    (1,2) and [1,2] differ, as do (1,2) and "1, 2";
//  - "x=5" is "5"; "x=5" is not "y=5"; equations are equal when one is a multiple of the other;
//  - 52_8 is 52_8 only, not 42 and not 52.
// What it does not know to be equal is unequal: sin(pi/6) is not 1/2, sqrt(xy) is not sqrt(x)sqrt(y).
#pragma once

#include <string_view>

namespace minke {

// Any bytes; never throws, and takes bounded time and memory.
bool same_answer(std::string_view expected, std::string_view given);

}  // namespace minke
