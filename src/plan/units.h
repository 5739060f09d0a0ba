// Quantities whose unit is part of their type: adding bytes to seconds does not compile, and dividing tokens by seconds gives
// tokens per second. The value is in base units: FLOP, bytes, seconds, dollars, joules, tokens; without a unit it is a double.
#pragma once

#include <cmath>
#include <compare>

namespace minke::plan {

template <int F, int B, int S, int U, int J, int T>
class Quantity {
 public:
  constexpr Quantity() = default;
  constexpr explicit Quantity(double value) : value_(value) {}
  constexpr double value() const { return value_; }

  constexpr Quantity operator+(Quantity other) const { return Quantity(value_ + other.value_); }
  constexpr Quantity operator-(Quantity other) const { return Quantity(value_ - other.value_); }
  constexpr Quantity operator*(double factor) const { return Quantity(value_ * factor); }
  constexpr Quantity operator/(double divisor) const { return Quantity(value_ / divisor); }
  constexpr Quantity& operator+=(Quantity other) {
    value_ += other.value_;
    return *this;
  }
  constexpr auto operator<=>(const Quantity&) const = default;
  friend constexpr Quantity operator*(double factor, Quantity q) { return Quantity(factor * q.value_); }

 private:
  double value_ = 0;
};

namespace detail {
template <int F, int B, int S, int U, int J, int T>
constexpr auto with_unit(double value) {
  if constexpr (F == 0 && B == 0 && S == 0 && U == 0 && J == 0 && T == 0) {
    return value;
  } else {
    return Quantity<F, B, S, U, J, T>(value);
  }
}
}  // namespace detail

template <int F, int B, int S, int U, int J, int T, int F2, int B2, int S2, int U2, int J2, int T2>
constexpr auto operator*(Quantity<F, B, S, U, J, T> a, Quantity<F2, B2, S2, U2, J2, T2> b) {
  return detail::with_unit<F + F2, B + B2, S + S2, U + U2, J + J2, T + T2>(a.value() * b.value());
}

template <int F, int B, int S, int U, int J, int T, int F2, int B2, int S2, int U2, int J2, int T2>
constexpr auto operator/(Quantity<F, B, S, U, J, T> a, Quantity<F2, B2, S2, U2, J2, T2> b) {
  return detail::with_unit<F - F2, B - B2, S - S2, U - U2, J - J2, T - T2>(a.value() / b.value());
}

using Flops = Quantity<1, 0, 0, 0, 0, 0>;
using Bytes = Quantity<0, 1, 0, 0, 0, 0>;
using Seconds = Quantity<0, 0, 1, 0, 0, 0>;
using Usd = Quantity<0, 0, 0, 1, 0, 0>;
using Joules = Quantity<0, 0, 0, 0, 1, 0>;
using Tokens = Quantity<0, 0, 0, 0, 0, 1>;

using FlopsPerS = Quantity<1, 0, -1, 0, 0, 0>;
using BytesPerS = Quantity<0, 1, -1, 0, 0, 0>;
using TokensPerS = Quantity<0, 0, -1, 0, 0, 1>;
using Watts = Quantity<0, 0, -1, 0, 1, 0>;
using UsdPerS = Quantity<0, 0, -1, 1, 0, 0>;
using UsdPerJ = Quantity<0, 0, 0, 1, -1, 0>;
using UsdPerToken = Quantity<0, 0, 0, 1, 0, -1>;
using FlopsPerToken = Quantity<1, 0, 0, 0, 0, -1>;
using BytesPerToken = Quantity<0, 1, 0, 0, 0, -1>;
using SecondsPerToken = Quantity<0, 0, 1, 0, 0, -1>;

constexpr Seconds hours(double n) { return Seconds(n * 3600); }
constexpr Seconds days(double n) { return Seconds(n * 86400); }
constexpr double in_hours(Seconds s) { return s.value() / 3600; }
constexpr double in_days(Seconds s) { return s.value() / 86400; }
constexpr Bytes gigabytes(double n) { return Bytes(n * 1e9); }
constexpr BytesPerS gigabytes_per_s(double n) { return BytesPerS(n * 1e9); }
constexpr FlopsPerS teraflops(double n) { return FlopsPerS(n * 1e12); }
constexpr UsdPerS usd_per_hour(double n) { return UsdPerS(n / 3600); }
constexpr UsdPerJ usd_per_kwh(double n) { return UsdPerJ(n / 3.6e6); }
constexpr double in_kwh(Joules j) { return j.value() / 3.6e6; }
constexpr double per_million(UsdPerToken price) { return price.value() * 1e6; }

}  // namespace minke::plan
