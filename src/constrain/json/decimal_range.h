// Decimal numbers between two bounds, and multiples of a number, as an automaton over their digits.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "constrain/grammar/expressions.h"

namespace minke::constrain {

using Int128 = __int128;

// units / 10^scale.
struct Decimal {
  Int128 units = 0;
  int scale = 0;
};

// A JSON number as it reads in decimal; none past 10^15 or of more than 12 digits after the point.
std::optional<Decimal> decimal_of(const Json& number);

struct DecimalRange {
  std::optional<Decimal> min, max;  // inclusive
  bool excludes_min = false, excludes_max = false;
  std::optional<Decimal> multiple_of;  // positive
  bool is_integer = false;
};

// Written with digits only: no exponent, no leading zeros, no -0. Without bounds up to 18 digits for integers, 15 before the
// point for others. Errors: no number is left, or the multiple is too large a one to follow.
Result<NodeId> decimal_range(Expressions& expressions, const DecimalRange& range);

}  // namespace minke::constrain
