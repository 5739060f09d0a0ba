// Units are types: what does not fit does not compile, and what cancels is a number.
#include "plan/units.h"

#include <gtest/gtest.h>

#include <concepts>
#include <type_traits>

namespace minke::plan {
namespace {

template <typename A, typename B>
concept Addable = requires(A a, B b) { a + b; };
template <typename A, typename B>
concept Comparable = requires(A a, B b) { a < b; };

static_assert(Addable<Bytes, Bytes>);
static_assert(!Addable<Bytes, Seconds>);
static_assert(!Addable<Bytes, Flops>);
static_assert(!Addable<Usd, double>);
static_assert(!Comparable<Tokens, Seconds>);
static_assert(!std::convertible_to<double, Bytes>);
static_assert(!std::convertible_to<Bytes, double>);
static_assert(std::same_as<decltype(Bytes(1) / BytesPerS(1)), Seconds>);
static_assert(std::same_as<decltype(Tokens(1) * FlopsPerToken(1) / FlopsPerS(1)), Seconds>);
static_assert(std::same_as<decltype(UsdPerS(1) / TokensPerS(1)), UsdPerToken>);
static_assert(std::same_as<decltype(Watts(1) * Seconds(1) * UsdPerJ(1)), Usd>);
static_assert(std::same_as<decltype(Seconds(2) / Seconds(1)), double>);

TEST(Units, ConvertBothWays) {
  EXPECT_DOUBLE_EQ(in_hours(hours(3)), 3);
  EXPECT_DOUBLE_EQ(in_days(days(2)), 2);
  EXPECT_DOUBLE_EQ(in_kwh(Watts(1000) * hours(1)), 1);
  EXPECT_DOUBLE_EQ((usd_per_hour(2) * hours(5)).value(), 10);
  EXPECT_DOUBLE_EQ(((Watts(1000) * hours(1)) * usd_per_kwh(0.08)).value(), 0.08);
  EXPECT_DOUBLE_EQ(per_million(usd_per_hour(3600) / TokensPerS(1)), 1e6);
}

}  // namespace
}  // namespace minke::plan
