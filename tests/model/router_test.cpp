#include "model/blocks/router.h"

#include <cmath>
#include <limits>

#include "support/support.h"

namespace minke {
namespace {

struct Choice {
  std::vector<int32_t> experts;
  std::vector<float> weights;
};

Choice route(const std::vector<float>& logits, const std::vector<float>& bias, const MoeConfig& moe) {
  size_t k = static_cast<size_t>(moe.n_experts_per_token);
  Choice choice{std::vector<int32_t>(k), std::vector<float>(k)};
  std::vector<float> scratch(2 * logits.size());
  route_token(choice.experts.data(), choice.weights.data(), logits.data(), bias.empty() ? nullptr : bias.data(), moe,
              scratch.data());
  return choice;
}

MoeConfig v3_like() {
  MoeConfig m;
  m.n_routed_experts = 8;
  m.n_experts_per_token = 2;
  m.scoring = RouterScoring::kSigmoid;
  m.selection = RouterSelection::kGroupTopTwo;
  m.has_router_bias = true;
  m.norm_topk = true;
  m.routed_scaling_factor = 2.5;
  return m;
}

float sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }

TEST(Router, TheBiasChoosesButDoesNotWeigh) {
  std::vector<float> logits = {0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f, 0.7f, 0.8f}, bias(8, 0.0f);
  bias[0] = 10.0f;
  Choice choice = route(logits, bias, v3_like());
  EXPECT_EQ(choice.experts, (std::vector<int32_t>{0, 7}));
  float sum = sigmoid(0.1f) + sigmoid(0.8f);
  EXPECT_FLOAT_EQ(choice.weights[0], sigmoid(0.1f) / sum * 2.5f);
  EXPECT_FLOAT_EQ(choice.weights[1], sigmoid(0.8f) / sum * 2.5f);
}

TEST(Router, GroupsAreScoredByTheirTwoBestBiasedScores) {
  MoeConfig m = v3_like();
  m.n_groups = 4;
  m.topk_groups = 1;
  // Group 0 has the best single expert, group 2 the best pair.
  std::vector<float> logits = {3.0f, -9.0f, 0.0f, 0.0f, 1.5f, 1.5f, 0.0f, 0.0f};
  EXPECT_EQ(route(logits, std::vector<float>(8, 0.0f), m).experts, (std::vector<int32_t>{4, 5}));
  m.scoring = RouterScoring::kSoftmax;
  m.selection = RouterSelection::kGroupBest;
  EXPECT_EQ(route(logits, {}, m).experts, (std::vector<int32_t>{0, 1}));  // V2: by the best one
}

TEST(Router, ExpertsOfDroppedGroupsAreImpossibleEvenWhenScoresAreNegative) {
  MoeConfig m = v3_like();
  m.n_groups = 4;
  m.topk_groups = 1;
  std::vector<float> logits(8, 0.0f), bias = {-1, -1, -2, -2, -3, -3, -4, -4};
  // A mask of zero instead of -inf would prefer the dropped groups' experts to -0.5.
  EXPECT_EQ(route(logits, bias, m).experts, (std::vector<int32_t>{0, 1}));
}

TEST(Router, TiesGoToTheLowerIndex) {
  std::vector<float> equal(8, 0.25f);
  EXPECT_EQ(route(equal, std::vector<float>(8, 0.0f), v3_like()).experts, (std::vector<int32_t>{0, 1}));
  MoeConfig m = v3_like();
  m.n_groups = 4;
  m.topk_groups = 2;
  m.n_experts_per_token = 4;
  EXPECT_EQ(route(equal, std::vector<float>(8, 0.0f), m).experts, (std::vector<int32_t>{0, 1, 2, 3}));
}

TEST(Router, V2ScalesOrNormalisesButNotBoth) {
  MoeConfig m;
  m.n_routed_experts = 4;
  m.n_experts_per_token = 2;
  m.routed_scaling_factor = 16.0;
  m.scale_after_norm = false;
  std::vector<float> logits = {0.0f, 1.0f, 2.0f, 3.0f};
  float sum = 1 + std::exp(1.0f) + std::exp(2.0f) + std::exp(3.0f);
  Choice scaled = route(logits, {}, m);
  EXPECT_EQ(scaled.experts, (std::vector<int32_t>{2, 3}));
  EXPECT_FLOAT_EQ(scaled.weights[1], std::exp(3.0f) / sum * 16.0f);
  m.norm_topk = true;
  Choice normalised = route(logits, {}, m);
  EXPECT_FLOAT_EQ(normalised.weights[0] + normalised.weights[1], 1.0f);
}

TEST(Router, NanLogitsChooseDifferentExpertsAndDoNotCrash) {
  std::vector<float> nan(8, std::numeric_limits<float>::quiet_NaN());
  Choice choice = route(nan, std::vector<float>(8, 0.0f), v3_like());
  EXPECT_NE(choice.experts[0], choice.experts[1]);
}

TEST(Router, EveryExpertWhenKIsN) {
  MoeConfig m = v3_like();
  m.n_experts_per_token = 8;
  Choice choice = route({1, 2, 3, 4, 5, 6, 7, 8}, std::vector<float>(8, 0.0f), m);
  EXPECT_EQ(choice.experts, (std::vector<int32_t>{0, 1, 2, 3, 4, 5, 6, 7}));
  float sum = 0;
  for (float w : choice.weights) sum += w;
  EXPECT_FLOAT_EQ(sum, 2.5f);
}

}  // namespace
}  // namespace minke
