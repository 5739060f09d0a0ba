#include "tasks/rational.h"

#include <fmt/format.h>

#include <limits>
#include <numeric>

namespace minke {
namespace {

using Wide = __int128;  // holds a sum of two products of int64 values

Wide magnitude(Wide value) { return value < 0 ? -value : value; }

Wide greatest_common_divisor(Wide a, Wide b) {
  a = magnitude(a);
  b = magnitude(b);
  while (b != 0) {
    const Wide rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

std::optional<Rational> reduce(Wide numerator, Wide denominator) {
  if (denominator == 0) return std::nullopt;
  const Wide divisor = greatest_common_divisor(numerator, denominator) * (denominator < 0 ? -1 : 1);
  numerator /= divisor;
  denominator /= divisor;
  constexpr Wide kMax = std::numeric_limits<int64_t>::max();
  // The most negative integer is left out, so that every value can be negated.
  if (magnitude(numerator) > kMax || denominator > kMax) return std::nullopt;
  return Rational{static_cast<int64_t>(numerator), static_cast<int64_t>(denominator)};
}

}  // namespace

std::optional<Rational> make_rational(int64_t numerator, int64_t denominator) { return reduce(numerator, denominator); }

std::optional<Rational> add(Rational a, Rational b) {
  return reduce(Wide{a.numerator} * b.denominator + Wide{b.numerator} * a.denominator, Wide{a.denominator} * b.denominator);
}

std::optional<Rational> subtract(Rational a, Rational b) {
  return reduce(Wide{a.numerator} * b.denominator - Wide{b.numerator} * a.denominator, Wide{a.denominator} * b.denominator);
}

std::optional<Rational> multiply(Rational a, Rational b) {
  return reduce(Wide{a.numerator} * b.numerator, Wide{a.denominator} * b.denominator);
}

std::optional<Rational> divide(Rational a, Rational b) {
  return reduce(Wide{a.numerator} * b.denominator, Wide{a.denominator} * b.numerator);
}

std::string to_string(Rational value) {
  if (value.is_integer()) return fmt::format("{}", value.numerator);
  return fmt::format("{}/{}", value.numerator, value.denominator);
}

}  // namespace minke
