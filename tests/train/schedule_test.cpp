#include "train/optimizer/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "train/optimizer/spike_guard.h"

namespace minke::testing {
namespace {

TEST(Schedule, WarmupReachesThePeakAtItsLastStep) {
  const Schedule schedule = constant_schedule(3e-4, 100);
  EXPECT_DOUBLE_EQ(value_at(schedule, 1), 3e-6);
  EXPECT_DOUBLE_EQ(value_at(schedule, 50), 1.5e-4);
  EXPECT_EQ(value_at(schedule, 100), 3e-4);
  EXPECT_EQ(value_at(schedule, 1e9), 3e-4);
  EXPECT_EQ(value_at(constant_schedule(3e-4), 1), 3e-4);
}

TEST(Schedule, CosineFollowsItsFormula) {
  const Schedule schedule = cosine_schedule(1.0, 0.1, 10, 110);
  for (double step : {11.0, 35.0, 60.0, 85.0, 109.0}) {
    const double expected = 0.1 + 0.9 * 0.5 * (1 + std::cos(M_PI * (step - 10) / 100));
    EXPECT_NEAR(value_at(schedule, step), expected, 1e-15) << step;
  }
  EXPECT_EQ(value_at(schedule, 110), 0.1);
  EXPECT_EQ(value_at(schedule, 111), 0.1);
}

TEST(Schedule, StableThenDecay) {
  for (Curve curve : {Curve::kLinear, Curve::kCosine, Curve::kRoot}) {
    const Schedule schedule = wsd_schedule(2.0, 0.0, 5, 80, 100, curve);
    EXPECT_EQ(value_at(schedule, 5), 2.0);
    EXPECT_EQ(value_at(schedule, 80), 2.0);
    EXPECT_EQ(value_at(schedule, 100), 0.0);
    const double x = 0.25;  // at step 85
    const double expected = curve == Curve::kLinear   ? 2.0 * (1 - x)
                            : curve == Curve::kCosine ? 1 + std::cos(M_PI * x)
                                                      : 2.0 * (1 - std::sqrt(x));
    EXPECT_NEAR(value_at(schedule, 85), expected, 1e-15);
  }
}

// DeepSeek-V3's report, in trillions of tokens.
TEST(Schedule, V3) {
  const Schedule schedule = v3_schedule({.warmup = 0.1, .decay_start = 10, .decay_end = 14.3, .last_start = 14.633});
  EXPECT_NEAR(value_at(schedule, 0.05), 1.1e-4, 1e-18);
  EXPECT_EQ(value_at(schedule, 10), 2.2e-4);
  EXPECT_NEAR(value_at(schedule, 12.15), (2.2e-4 + 2.2e-5) / 2, 1e-17);
  EXPECT_EQ(value_at(schedule, 14.3), 2.2e-5);
  EXPECT_EQ(value_at(schedule, 14.6), 2.2e-5);
  EXPECT_EQ(value_at(schedule, 14.64), 7.3e-6);
  EXPECT_EQ(value_at(schedule, 14.8), 7.3e-6);
}

// DeepSeek-V2: 0.316 at 60 % and again at 90 %.
TEST(Schedule, V2) {
  const double positions[] = {600, 900};
  const Schedule schedule = step_schedule(2.4e-4, 20, 0.316, positions);
  EXPECT_EQ(value_at(schedule, 10), 1.2e-4);
  EXPECT_EQ(value_at(schedule, 600), 2.4e-4);
  EXPECT_EQ(value_at(schedule, 601), 2.4e-4 * 0.316);
  EXPECT_EQ(value_at(schedule, 1000), 2.4e-4 * 0.316 * 0.316);
}

TEST(Schedule, BatchSizeInWholeMicroBatches) {
  const Schedule schedule = ramp_schedule(3072, 15360, 469);
  EXPECT_EQ(batch_size_at(schedule, 0, 64), 3072);
  EXPECT_EQ(batch_size_at(schedule, 469, 64), 15360);
  EXPECT_EQ(batch_size_at(schedule, 1000, 64), 15360);
  const int64_t half = batch_size_at(schedule, 234.5, 64);
  EXPECT_EQ(half, 9216);
  EXPECT_EQ(batch_size_at(schedule, 234.4, 64), 9152);
  EXPECT_EQ(batch_size_at(constant_schedule(3), 1, 8), 8);
}

TEST(SpikeGuard, SkipsWhatIsNotFinite) {
  SpikeGuard guard({});
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(guard.judge(1, 1), StepVerdict::kTake);
  EXPECT_EQ(guard.judge(nan, 1), StepVerdict::kSkipNotFinite);
  EXPECT_EQ(guard.judge(1, inf), StepVerdict::kSkipNotFinite);
  EXPECT_EQ(guard.judge(1, 1e30), StepVerdict::kTake);  // no factor
  EXPECT_EQ(guard.norms().size(), 2u);
}

TEST(SpikeGuard, SkipsOutliersUntilTheyAreUsual) {
  SpikeGuard guard({.factor = 5, .window = 10, .least_norms = 4});
  for (double norm : {1.0, 100.0, 1.1, 0.9}) EXPECT_EQ(guard.judge(2, norm), StepVerdict::kTake) << norm;  // too few to judge
  EXPECT_EQ(guard.judge(2, 4.9), StepVerdict::kTake);
  EXPECT_EQ(guard.judge(2, 6.0), StepVerdict::kSkipOutlier);
  EXPECT_NE(spike_reason(StepVerdict::kSkipOutlier, 2, 6.0, guard.median()).find("median"), std::string::npos);
  int n_skipped = 0;
  while (guard.judge(2, 50.0) == StepVerdict::kSkipOutlier) n_skipped++;
  EXPECT_GT(n_skipped, 1);
  EXPECT_LE(n_skipped, 6);  // half of the window
  SpikeGuard restored({.factor = 5, .window = 10, .least_norms = 4});
  restored.set_norms(guard.norms());
  EXPECT_EQ(restored.median(), guard.median());
}

}  // namespace
}  // namespace minke::testing
