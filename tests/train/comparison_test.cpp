// Two ways to train compared at the same validation loss: by hand-made logs whose answers are known.
#include "train/report/comparison.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "support/support.h"

namespace minke {
namespace {

using testing::value_of;

// Validation losses every second step of 100 tokens; a step costs `flops` and takes `seconds`.
std::vector<StepRecord> run(const std::vector<double>& losses, double flops, double seconds) {
  std::vector<StepRecord> records;
  for (size_t i = 0; i < 2 * losses.size(); i++) {
    StepRecord record;
    record.step = static_cast<int64_t>(i) + 1;
    record.tokens = 100 * record.step;
    record.flops = flops * static_cast<double>(record.step);
    record.step_s = seconds;
    if (i % 2 == 1) record.validation_loss = losses[i / 2];
    records.push_back(record);
  }
  return records;
}

TEST(Comparison, TheTargetIsBetweenTwoValidations) {
  const std::vector<StepRecord> records = run({5, 4, 2}, 10, 0.5);
  EXPECT_EQ(lowest_validation_loss(records), 2);
  const std::optional<Spent> spent = spent_until(records, 3);  // halfway between 400 and 600 tokens
  ASSERT_TRUE(spent);
  EXPECT_DOUBLE_EQ(spent->tokens, 500);
  EXPECT_DOUBLE_EQ(spent->flops, 50);
  EXPECT_DOUBLE_EQ(spent->seconds, 2.5);
  EXPECT_DOUBLE_EQ(spent_until(records, 9)->tokens, 200);
  EXPECT_FALSE(spent_until(records, 1.9));
}

TEST(Comparison, MeansHaveTheStandardErrorOfTheSeeds) {
  const Mean mean = mean_of(std::vector<double>{1, 2, 3, 6});
  EXPECT_DOUBLE_EQ(mean.value, 3);
  EXPECT_NEAR(mean.error, 1.0801234497346435, 1e-15);  // sqrt(14 / 3 / 4)
  EXPECT_EQ(mean_of(std::vector<double>{4}).error, 0);
}

TEST(Comparison, RatiosAreTakenSeedBySeed) {
  const VariantRuns dense = {"dense", {run({5, 4, 3}, 40, 2), run({5, 4, 3}, 40, 6)}};
  const VariantRuns sparse = {"sparse", {run({4, 3, 2}, 10, 1), run({4, 3, 2}, 10, 2)}};
  const Comparison comparison = value_of(compare_runs(dense, sparse));
  EXPECT_EQ(comparison.target, 3);  // the dense runs get no lower
  EXPECT_DOUBLE_EQ(comparison.variants[0].tokens.value, 600);
  EXPECT_DOUBLE_EQ(comparison.variants[1].tokens.value, 400);
  EXPECT_DOUBLE_EQ(comparison.variants[1].final_loss.value, 2);
  EXPECT_DOUBLE_EQ(comparison.tokens_ratio.value, 1.5);
  EXPECT_DOUBLE_EQ(comparison.flops_ratio.value, 6);
  EXPECT_DOUBLE_EQ(comparison.seconds_ratio.value, (12.0 / 4 + 36.0 / 8) / 2);
  EXPECT_DOUBLE_EQ(comparison.seconds_ratio.error, 0.75);
  EXPECT_EQ(comparison_json(comparison)["ratio"]["flops"]["mean"], 6);
  EXPECT_NE(comparison_svg(dense, sparse).find("sparse"), std::string::npos);
}

TEST(Comparison, RunsWithoutValidationAndUnevenOnesAreRefused) {
  const VariantRuns good = {"good", {run({5}, 1, 1)}};
  EXPECT_ERROR(compare_runs(good, {"bad", {{StepRecord{}}}}), "bad: a run was never validated");
  EXPECT_ERROR(compare_runs(good, {"none", {}}), "none has 0");
}

}  // namespace
}  // namespace minke
