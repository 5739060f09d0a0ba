// Units behind (and money before) a number. The list is closed: a word that is not in it is no unit, since "5 dozen" and
// "5 squared" are not 5.
#pragma once

#include <gmpxx.h>

#include <string>
#include <string_view>

namespace minke::compare {

struct Measured {
  std::string_view number;  // what is left of the text
  std::string unit = {};         // one spelling per unit: "cm^2", "mile/hour"; empty without
  mpz_class scale = 1;      // of "3 million", "5만"
};

enum class ShortUnits { kInTextOnly, kAfterSpace };  // where one letter is a unit ("5 m") and where a variable

Measured split_unit(std::string_view cleaned, ShortUnits short_units);

}  // namespace minke::compare
