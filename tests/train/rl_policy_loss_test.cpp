// The policy's loss against float64 autograd of the papers' formulas (tests/goldens/rl, made by reference/make_rl.py), against
// finite differences, and by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "support/support.h"
#include "train/rl/policy_loss.h"

namespace minke::testing {
namespace {

struct Rollouts {
  std::vector<int64_t> lengths;
  std::vector<double> advantages;
  std::vector<float> logprobs, behavior, reference, entropies;

  PolicyTokens tokens() const { return {lengths, advantages, logprobs, behavior, reference, entropies}; }
  BatchCounts counts() const { return {static_cast<int64_t>(lengths.size()), static_cast<int64_t>(logprobs.size())}; }
};

struct Outcome {
  PolicyLoss loss;
  std::vector<float> d_logprobs;
};

Outcome run(const Rollouts& rollouts, const PolicyLossOptions& options) {
  Outcome out;
  out.d_logprobs.assign(rollouts.logprobs.size(), 99.0f);
  out.loss = value_of(policy_loss(out.d_logprobs, rollouts.tokens(), rollouts.counts(), options));
  return out;
}

// One rollout a token; entropies are not looked at.
Rollouts single_tokens(std::vector<double> advantages, std::vector<float> logprobs, std::vector<float> behavior) {
  Rollouts out;
  out.lengths.assign(advantages.size(), 1);
  out.entropies.assign(advantages.size(), 0.0f);
  out.reference = behavior;
  out.advantages = std::move(advantages);
  out.logprobs = std::move(logprobs);
  out.behavior = std::move(behavior);
  return out;
}

const Json& golden() {
  static const Json file = value_of(read_json_file(repository_path("tests/goldens/rl/policy.json")));
  return file;
}

Rollouts golden_rollouts() {
  const Json& g = golden();
  Rollouts out = {g["lengths"], g["advantages"], g["logprobs"], g["behavior_logprobs"], g["ref_logprobs"], {}};
  for (size_t i = 0; i < out.logprobs.size(); i++) out.entropies.push_back(0.25f * static_cast<float>(i));
  return out;
}

PolicyLossOptions golden_options(const Json& c) {
  PolicyLossOptions options;
  options.ratio = c["ratio"] == "token" ? RatioOf::kToken : RatioOf::kSequence;
  options.reduction = c["reduction"] == "rollout" ? Reduction::kRolloutMean
                      : c["reduction"] == "token" ? Reduction::kTokenMean
                                                  : Reduction::kConstant;
  options.clip_low = c["clip_low"];
  options.clip_high = c["clip_high"];
  options.kl_coef = c["kl_coef"];
  options.max_length = golden()["max_length"];
  return options;
}

// Both sides compute in f64 what f32 log-probs give: they differ by the order of sums of a few dozen terms of size 1. The
// gradient is rounded once to f32.
constexpr double kSumError = 1e-13;
constexpr double kRounding = 0x1p-24;

TEST(PolicyLoss, AgreesWithAutogradForEveryCombination) {
  const Rollouts rollouts = golden_rollouts();
  EXPECT_EQ(golden()["cases"].size(), 48u);
  for (const Json& c : golden()["cases"]) {
    SCOPED_TRACE(fmt::format("ratio {}, reduction {}, kl {}, clip {} {}", c["ratio"].get<std::string>(),
                             c["reduction"].get<std::string>(), c["kl_coef"].get<double>(),
                             c["clip_low"].get<double>(), c["clip_high"].get<double>()));
    const Outcome out = run(rollouts, golden_options(c));
    EXPECT_NEAR(out.loss.loss, c["loss"].get<double>(), kSumError);
    for (size_t t = 0; t < out.d_logprobs.size(); t++) {
      const double expected = c["d_logprobs"][t];
      EXPECT_NEAR(out.d_logprobs[t], expected, kRounding * std::fabs(expected) + kSumError) << "token " << t;
    }
    const Json& s = c["statistics"];
    const PolicyStats& stats = out.loss.stats;
    EXPECT_EQ(stats.n_tokens, static_cast<int64_t>(rollouts.logprobs.size()));
    EXPECT_EQ(stats.n_ratios, s["n_ratios"].get<int64_t>());
    EXPECT_EQ(stats.n_clipped_low, s["n_clipped_low"].get<int64_t>());
    EXPECT_EQ(stats.n_clipped_high, s["n_clipped_high"].get<int64_t>());
    EXPECT_NEAR(stats.ratios, s["ratios"].get<double>(), 30 * kSumError);
    EXPECT_NEAR(stats.ref_kl, s["ref_kl"].get<double>(), 30 * kSumError);
    EXPECT_NEAR(stats.behavior_kl, s["behavior_kl"].get<double>(), 30 * kSumError);
    EXPECT_EQ(stats.mean_entropy(), 0.25 * 12);  // of 0 to 24 quarters
  }
}

// Micro-batches of some rollouts each, with the counts of the whole batch.
TEST(PolicyLoss, MicroBatchesAddUp) {
  const Rollouts all = golden_rollouts();
  for (const Json& c : golden()["cases"]) {
    const PolicyLossOptions options = golden_options(c);
    const Outcome expected = run(all, options);
    std::vector<float> d_logprobs;
    double loss = 0;
    PolicyStats stats;
    for (size_t first = 0, begin = 0; first < all.lengths.size(); first += 2) {
      const auto n = static_cast<size_t>(all.lengths[first] + all.lengths[first + 1]);
      const PolicyTokens t = all.tokens();
      const PolicyTokens part = {t.lengths.subspan(first, 2),      t.advantages.subspan(first, 2),
                                 t.logprobs.subspan(begin, n),     t.behavior_logprobs.subspan(begin, n),
                                 t.ref_logprobs.subspan(begin, n), t.entropies.subspan(begin, n)};
      std::vector<float> d(n);
      const PolicyLoss out = value_of(policy_loss(d, part, all.counts(), options));
      d_logprobs.insert(d_logprobs.end(), d.begin(), d.end());
      loss += out.loss;
      stats.add(out.stats);
      begin += n;
    }
    EXPECT_EQ(d_logprobs, expected.d_logprobs);
    EXPECT_NEAR(loss, expected.loss.loss, kSumError);
    EXPECT_EQ(stats.n_tokens, expected.loss.stats.n_tokens);
    EXPECT_EQ(stats.n_clipped_low, expected.loss.stats.n_clipped_low);
    EXPECT_EQ(stats.n_clipped_high, expected.loss.stats.n_clipped_high);
    EXPECT_NEAR(stats.mean_ratio(), expected.loss.stats.mean_ratio(), kSumError);
    EXPECT_NEAR(stats.mean_ref_kl(), expected.loss.stats.mean_ref_kl(), kSumError);
    EXPECT_NEAR(stats.mean_behavior_kl(), expected.loss.stats.mean_behavior_kl(), kSumError);
    EXPECT_EQ(stats.entropy, expected.loss.stats.entropy);
  }
}

// Steps of 2^-13, which f32 log-probs near 1 take exactly. The third derivative is below 10 here: the central difference is off
// by less than 10 / 6 * 2^-26; no ratio of the goldens is within a step of its clip (the loss would have a kink there).
TEST(PolicyLoss, GradientIsTheDerivative) {
  const double step = 0x1p-13;
  for (const Json& c : golden()["cases"]) {
    const PolicyLossOptions options = golden_options(c);
    Rollouts rollouts = golden_rollouts();
    for (float& l : rollouts.logprobs) l = std::round(l * 0x1p13f) * 0x1p-13f;
    const Outcome out = run(rollouts, options);
    for (size_t t = 0; t < rollouts.logprobs.size(); t++) {
      Rollouts moved = rollouts;
      moved.logprobs[t] += static_cast<float>(step);
      const double above = run(moved, options).loss.loss;
      moved.logprobs[t] -= static_cast<float>(2 * step);
      const double below = run(moved, options).loss.loss;
      EXPECT_NEAR((above - below) / (2 * step), out.d_logprobs[t], 10.0 / 6 * step * step) << "token " << t;
    }
  }
}

TEST(PolicyLoss, FreshRolloutsHaveTheAdvantageAsGradient) {
  Rollouts rollouts = golden_rollouts();
  rollouts.behavior = rollouts.logprobs;
  const Outcome out = run(rollouts, {});
  size_t t = 0;
  for (size_t i = 0; i < rollouts.lengths.size(); i++) {
    for (int64_t k = 0; k < rollouts.lengths[i]; k++) {
      EXPECT_EQ(out.d_logprobs[t++], static_cast<float>(-rollouts.advantages[i] / 25.0));
    }
  }
  EXPECT_EQ(out.loss.stats.mean_ratio(), 1.0);
  EXPECT_EQ(out.loss.stats.behavior_kl, 0.0);
}

TEST(PolicyLoss, ARatioExactlyAtTheClipStillHasItsGradient) {
  // exp(0.25) - 1 is exact, and so is 1 + it; likewise 1 - (1 - exp(-0.25)).
  const double high = std::exp(0.25) - 1, low = 1 - std::exp(-0.25);
  PolicyLossOptions options;
  options.clip_high = high;
  options.clip_low = low;
  const Rollouts rollouts = single_tokens({1, -1, 1, -1}, {-0.75f, -1.25f, -0.75f, -1.25f}, {-1, -1, -1, -1});
  Outcome out = run(rollouts, options);
  EXPECT_EQ(out.d_logprobs[0], static_cast<float>(-std::exp(0.25) / 4));
  EXPECT_EQ(out.d_logprobs[1], static_cast<float>(std::exp(-0.25) / 4));
  EXPECT_EQ(out.loss.stats.n_clipped_low + out.loss.stats.n_clipped_high, 0);
  options.clip_high = high - 0x1p-52;  // the next number below the ratio
  options.clip_low = low - 0x1p-53;
  out = run(rollouts, options);
  EXPECT_EQ(out.d_logprobs, std::vector<float>(4, 0.0f));
  EXPECT_EQ(out.loss.stats.clipped_low(), 0.5);
  EXPECT_EQ(out.loss.stats.clipped_high(), 0.5);
}

TEST(PolicyLoss, OnlyTheSideThatTheAdvantagePushesToIsClipped) {
  // Ratios e and 1/e; a good token that became rare and a bad one that became likely keep their gradients.
  const Outcome out = run(single_tokens({1, 1, -1, -1, 0}, {0, -2, 0, -2, 0}, {-1, -1, -1, -1, -1}), {});
  EXPECT_EQ(out.d_logprobs[0], 0.0f);
  EXPECT_EQ(out.d_logprobs[1], static_cast<float>(-std::exp(-1.0) / 5));
  EXPECT_EQ(out.d_logprobs[2], static_cast<float>(std::exp(1.0) / 5));
  EXPECT_EQ(out.d_logprobs[3], 0.0f);
  EXPECT_EQ(out.d_logprobs[4], 0.0f);
  EXPECT_NEAR(out.loss.loss, (-1.2 - std::exp(-1.0) + std::exp(1.0) + 0.8) / 5, 1e-15);
}

TEST(PolicyLoss, NothingSampledIsALossOfZero) {
  Rollouts none;
  Outcome out = run(none, {});
  EXPECT_EQ(out.loss.loss, 0);
  EXPECT_EQ(out.loss.stats.mean_ratio(), 1);
  EXPECT_EQ(out.loss.stats.mean_entropy(), 0);
  none.lengths = {0, 0};
  none.advantages = {1, -1};
  for (Reduction reduction : {Reduction::kRolloutMean, Reduction::kTokenMean, Reduction::kConstant}) {
    for (RatioOf ratio : {RatioOf::kToken, RatioOf::kSequence}) {
      out = run(none, {.ratio = ratio, .reduction = reduction});
      EXPECT_EQ(out.loss.loss, 0);
      EXPECT_EQ(out.loss.stats.n_ratios, 0);
    }
  }
}

TEST(PolicyLoss, HugeRatiosStayFiniteOrAreRefused) {
  const auto limit = static_cast<float>(kMaxLogRatio);
  for (RatioOf ratio : {RatioOf::kToken, RatioOf::kSequence}) {
    const PolicyLossOptions options = {.ratio = ratio, .kl_coef = 1};
    Rollouts r = single_tokens({-1000, 1}, {-1, -10000}, {-1 - limit, -1});
    r.reference = {-1 - limit, -10000 + limit};
    const Outcome out = run(r, options);
    for (float d : out.d_logprobs) EXPECT_TRUE(std::isfinite(d)) << d;
    EXPECT_TRUE(std::isfinite(out.loss.loss));

    std::vector<float> d(2);
    auto expect_refusal = [&](float logprob, float behavior, float reference, const char* text) {
      Rollouts bad = r;
      bad.logprobs[1] = logprob;
      bad.behavior[1] = behavior;
      bad.reference[1] = reference;
      EXPECT_ERROR(policy_loss(d, bad.tokens(), bad.counts(), options), text);
    };
    expect_refusal(-1, -1.5f - limit, -1, "token 0 of rollout 1: the log-ratio policy / behavior is 60.5");
    expect_refusal(-2.5f - limit, -1, -2, "token 0 of rollout 1: the log-ratio reference / policy is 60.5");
    const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    expect_refusal(nan, -1, -1, "the log-prob is nan");
    expect_refusal(-1, nan, -1, "at sampling it was nan");
    expect_refusal(-infinity, -1, -1, "the log-prob is -inf");
    expect_refusal(-1, -infinity, -1, "at sampling it was -inf");
    expect_refusal(-1, -1, nan, "reference / policy is nan");
  }
}

}  // namespace
}  // namespace minke::testing
