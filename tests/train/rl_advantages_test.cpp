// Advantages against torch (tests/goldens/rl, made by reference/make_rl.py) and by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "support/support.h"
#include "train/rl/advantages.h"

namespace minke::testing {
namespace {

using Numbers = std::vector<double>;

TEST(Advantages, AgreeWithTorch) {
  const Json golden = value_of(read_json_file(repository_path("tests/goldens/rl/advantages.json")));
  const Numbers rewards = golden["rewards"];
  EXPECT_EQ(golden["cases"].size(), 6u);
  for (const Json& c : golden["cases"]) {
    AdvantageOptions options;
    options.scale = c["scale"] == "group"   ? AdvantageScale::kGroupStd
                    : c["scale"] == "batch" ? AdvantageScale::kBatchStd
                                            : AdvantageScale::kNone;
    options.epsilon = c["epsilon"];
    const Numbers got = group_advantages(rewards, golden["group_size"], options), expected = c["advantages"];
    ASSERT_EQ(got.size(), expected.size());
    // Numbers up to 2; the standard deviations are above 0.1, so errors of the mean grow tenfold.
    for (size_t i = 0; i < got.size(); i++) EXPECT_NEAR(got[i], expected[i], 1e-14) << c["scale"] << " " << i;
  }
}

TEST(Advantages, ByHand) {
  // Mean 1/2; squares of 1/4 four times, by 3: the sample's deviation is 1 / sqrt(3).
  const Numbers rewards = {1, 0, 0, 1};
  const Numbers a = group_advantages(rewards, 4, {.epsilon = 0});
  for (size_t i = 0; i < 4; i++) EXPECT_NEAR(a[i], (rewards[i] - 0.5) * std::sqrt(3.0), 1e-15);
  EXPECT_EQ(group_advantages(rewards, 4, {.scale = AdvantageScale::kNone}), (Numbers{0.5, -0.5, -0.5, 0.5}));
  EXPECT_EQ(group_advantages(rewards, 2, {.scale = AdvantageScale::kNone}), (Numbers{0.5, -0.5, -0.5, 0.5}));
}

TEST(Advantages, WhatIsAllTheSameIsExactlyZero) {
  const Numbers zeros(3, 0.0);
  for (AdvantageScale scale : {AdvantageScale::kGroupStd, AdvantageScale::kBatchStd, AdvantageScale::kNone}) {
    EXPECT_EQ(group_advantages(Numbers{0.1, 0.1, 0.1}, 3, {.scale = scale, .epsilon = 0}), zeros);
    EXPECT_EQ(group_advantages(Numbers{0.1, 0.7, -3}, 1, {.scale = scale, .epsilon = 0}), zeros);  // groups of one
    EXPECT_TRUE(group_advantages({}, 8, {.scale = scale}).empty());
  }
}

TEST(DynamicSampling, KeepsGroupsWithBetterAndWorse) {
  EXPECT_FALSE(has_better_and_worse(Numbers{1, 1, 1}));
  EXPECT_FALSE(has_better_and_worse(Numbers{0, 0}));
  EXPECT_FALSE(has_better_and_worse(Numbers{1}));
  EXPECT_FALSE(has_better_and_worse({}));
  EXPECT_TRUE(has_better_and_worse(Numbers{0, 0, 1, 0}));
  EXPECT_TRUE(has_better_and_worse(Numbers{1, 0.5}));
}

}  // namespace
}  // namespace minke::testing
