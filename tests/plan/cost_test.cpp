// Money, energy, failures, drafts: identities and closed forms.
#include "plan/cost.h"

#include <gtest/gtest.h>

namespace minke::plan {
namespace {

Ownership owned() {
  Ownership o;
  o.purchase = Usd(30000);
  o.watts = Watts(700);
  o.electricity = usd_per_kwh(0.08);
  return o;
}

TEST(Ownership, IsHomogeneousInPrices) {
  Ownership o = owned(), doubled = o;
  doubled.purchase = 2 * o.purchase;
  doubled.electricity = 2 * o.electricity;
  EXPECT_NEAR(ownership_rate(doubled).value(), 2 * ownership_rate(o).value(), 1e-15);
}

TEST(Ownership, IdleHoursRaiseTheRateOfUsedOnes) {
  Ownership o = owned(), half = o;
  half.utilisation = 0.5;
  EXPECT_GT(ownership_rate(half), ownership_rate(o));
  // All but the power doubles.
  UsdPerS power = o.watts * o.pue * o.electricity;
  EXPECT_NEAR((ownership_rate(half) - power).value(), 2 * (ownership_rate(o) - power).value(), 1e-15);
}

TEST(Ownership, InterestPaysOffTheSum) {
  EXPECT_DOUBLE_EQ(capital_recovery(0, 4), 0.25);
  // Payments of that share, discounted, come to 1.
  double r = 0.06, share = capital_recovery(r, 4), sum = 0, factor = 1;
  for (int year = 1; year <= 4; year++) sum += share / (factor *= 1 + r);
  EXPECT_NEAR(sum, 1, 1e-12);
}

TEST(Goodput, FallsWithDevicesAndRestarts) {
  Reliability r{hours(50700), Seconds(30), Seconds(600)};
  EXPECT_GT(goodput(r, 1024), goodput(r, 16384));
  Reliability slower = r;
  slower.restart = Seconds(3600);
  EXPECT_GT(goodput(r, 16384), goodput(slower, 16384));
  EXPECT_GE(goodput(slower, 1e9), 0);
}

// The interval is the one that loses least: both neighbours lose more.
TEST(Goodput, CheckpointIntervalIsTheBest) {
  Reliability r{hours(50700), Seconds(30), Seconds(600)};
  double interval = checkpoint_interval(r, 16384).value(), mtbf = job_mtbf(r, 16384).value();
  auto lost = [&](double t) { return 30 / t + t / (2 * mtbf); };
  EXPECT_LT(lost(interval), lost(interval * 1.1));
  EXPECT_LT(lost(interval), lost(interval * 0.9));
}

TEST(Speculation, TokensAStepAreASumOfPowers) {
  EXPECT_DOUBLE_EQ(tokens_per_step(0, 3), 1);
  EXPECT_DOUBLE_EQ(tokens_per_step(1, 3), 4);
  EXPECT_NEAR(tokens_per_step(0.8, 3), 1 + 0.8 + 0.64 + 0.512, 1e-12);
  EXPECT_DOUBLE_EQ(speculation_gain(2, 1, 0), 2);
  EXPECT_LT(speculation_gain(2, 1, 0.1), 2);
}

TEST(Energy, IsHoursTimesWatts) {
  EXPECT_DOUBLE_EQ(in_kwh(energy_used(hours(10), Watts(500), 0.8, 1.25)), 5);
  EXPECT_DOUBLE_EQ(tonnes_co2(energy_used(hours(1000), Watts(1000), 1, 1), 0.4), 0.4);
}

}  // namespace
}  // namespace minke::plan
