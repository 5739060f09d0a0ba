// Exact fractions of 64-bit integers: always reduced, denominator above zero. An operation that would overflow or divide by
// zero gives nullopt.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace minke {

struct Rational {
  int64_t numerator = 0;
  int64_t denominator = 1;

  bool operator==(const Rational&) const = default;
  bool is_integer() const { return denominator == 1; }
};

std::optional<Rational> make_rational(int64_t numerator, int64_t denominator);
std::optional<Rational> add(Rational a, Rational b);
std::optional<Rational> subtract(Rational a, Rational b);
std::optional<Rational> multiply(Rational a, Rational b);
std::optional<Rational> divide(Rational a, Rational b);

// "5", "-3/4".
std::string to_string(Rational value);

}  // namespace minke
