// Expressions as answers: integers, + - * /, parentheses and, where the grammar allows, a leading minus and the variable x.
// Nothing else parses: no powers, no functions, no digits outside ASCII, no leading zeros. Values are exact fractions.
//
//   sum     = product { ("+" | "-") product }
//   product = factor { ("*" | "/") factor }
//   factor  = integer | "x" | "(" sum ")" | "-" factor
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "tasks/rational.h"

namespace minke {

struct Grammar {
  bool has_x = false;
  bool has_minus_sign = false;  // "-3", "-(2+x)"
};

class Expression {
 public:
  // nullopt for what does not parse, is longer than 256 bytes or nested deeper than 32.
  static std::optional<Expression> parse(std::string_view text, Grammar grammar);

  // nullopt for a division by zero and for values past 64 bits.
  std::optional<Rational> value(int64_t x = 0) const;

  // The integers in the order of the text.
  std::vector<int64_t> integers() const;

 private:
  friend class ExpressionParser;
  struct Step {
    char kind;  // '#' pushes `integer`, 'x' the variable, '~' negates the top; + - * / take two values and push one
    int64_t integer = 0;
  };
  std::vector<Step> steps_;  // postfix
};

}  // namespace minke
