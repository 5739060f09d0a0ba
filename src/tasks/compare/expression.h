// The parser of one expression in cleaned text (clean.h): + - * / ^, juxtaposition, \frac, \sqrt, mixed numbers, functions,
// factorials, binomials, absolute values.
//
// sum := [sign] product (('+' | '-') product)*      product := factor (('*' | '/' | nothing) factor)*
// factor := atom '!'* ['^' exponent]
#pragma once

#include <optional>
#include <string_view>

#include "tasks/compare/algebra.h"

namespace minke::compare {

struct Formula {
  Quotient value = {};
  bool is_numeral = false;    // a number as one writes a result: 5, -0.25, 3/4, 1 1/2, 2*10^5; not 3*5
  bool has_fraction = false;  // of a numeral: it is written p/q
};

// None for what cannot be read, or has no value, or costs too much.
std::optional<Formula> parse_expression(std::string_view cleaned, Algebra& algebra);

}  // namespace minke::compare
