// What a whole answer says: an expression, an interval, a set... and when two of them are the same.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/compare/expression.h"
#include "tasks/compare/units.h"

namespace minke::compare {

struct Value {
  enum class Kind {
    kExpression,
    kInfinity,
    kOrdered,    // tuple, interval: between `open` and `close`; ratio: ':'
    kUnordered,  // set, or a list without brackets
    kUnion,      // of intervals
    kMatrix,     // of n_columns
    kEquation    // expression.value is left side minus right side; parts holds the right side where the left is one variable
  };
  Kind kind = Kind::kExpression;
  Formula expression = {};
  bool negative = false;  // of infinity
  std::string unit = {};
  std::string name = {};  // the variable that this is the value of: x in x=5, x in [0,1], x>3
  char open = 0;
  char close = 0;
  size_t n_columns = 0;
  std::vector<Value> parts = {};
};

std::optional<Value> parse_value(std::string_view cleaned, Algebra& algebra, ShortUnits short_units);

// Not symmetric: an expected number wants a number (same_answer.h).
bool same_value(const Value& expected, const Value& given, Algebra& algebra);

}  // namespace minke::compare
