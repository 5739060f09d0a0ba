#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "base/rng.h"
#include "support/support.h"

namespace minke {
namespace {

const std::vector<float> kLogits = {1.0f, 3.0f, 2.0f, -1.0f, 3.0f, 0.5f};

SamplerScratch& scratch() {
  static SamplerScratch one(8);
  return one;
}

std::map<TokenId, int> draw_many(SamplingOptions options, int n, const std::vector<float>& logits = kLogits) {
  std::map<TokenId, int> counts;
  for (int i = 0; i < n; i++) {
    options.seed = static_cast<uint64_t>(i);
    Sampler sampler(options, static_cast<int64_t>(logits.size()));
    counts[sampler.sample(logits, scratch()).token]++;
  }
  return counts;
}

SamplingOptions plain() { return {.temperature = 1.0, .top_p = 1.0}; }

TEST(Sampler, GreedyTakesTheFirstOfEqualMaxima) {
  Sampler sampler({.temperature = 0.0}, 6);
  EXPECT_EQ(sampler.sample(kLogits, scratch()).token, 1);
}

TEST(Sampler, GreedyTakesTheFirstOfEqualMaximaOfAnyNumber) {
  for (size_t n : {1, 15, 16, 17, 1023, 1024, 1025, 5000}) {
    std::vector<float> logits(n);
    for (uint64_t seed = 0; seed < 20; seed++) {
      // Few values, so that there are many equal ones; in some all are below zero.
      for (size_t i = 0; i < n; i++) logits[i] = static_cast<float>(mix_seed(seed, i) % 50) - (seed % 2 == 0 ? 100.0f : 20.0f);
      if (seed == 7) std::fill(logits.begin(), logits.end(), -std::numeric_limits<float>::infinity());
      Sampler sampler({.temperature = 0.0}, static_cast<int64_t>(n));
      const auto expected = std::max_element(logits.begin(), logits.end()) - logits.begin();
      ASSERT_EQ(sampler.sample(logits, scratch()).token, expected) << n << " " << seed;
    }
  }
}

TEST(Sampler, DrawsFollowTheSoftmax) {
  const int n = 20000;
  std::map<TokenId, int> counts = draw_many(plain(), n);
  double sum = 0;
  for (float logit : kLogits) sum += std::exp(logit);
  for (size_t i = 0; i < kLogits.size(); i++) {
    double p = std::exp(kLogits[i]) / sum;
    // Five standard deviations of a binomial count: one failure in a million runs if the seeds were random, none as they are
    // fixed.
    EXPECT_NEAR(counts[static_cast<TokenId>(i)], n * p, 5 * std::sqrt(n * p * (1 - p)) + 1) << i;
  }
}

TEST(Sampler, TemperatureComesBeforeTopP) {
  // At temperature 1 the two best hold 0.74 of the mass, at 0.5 they hold 0.92.
  SamplingOptions options = plain();
  options.top_p = 0.9;
  EXPECT_GT(draw_many(options, 2000).size(), 2u);
  options.temperature = 0.5;
  EXPECT_EQ(draw_many(options, 2000).size(), 2u);
}

TEST(Sampler, TopKTopPMinPKeepTheRightTokens) {
  SamplingOptions options = plain();
  options.top_k = 3;
  EXPECT_EQ(draw_many(options, 3000).size(), 3u);
  options = plain();
  options.top_p = 0.0;  // always at least one
  EXPECT_EQ(draw_many(options, 50).begin()->first, 1);
  EXPECT_EQ(draw_many(options, 50).size(), 1u);
  options = plain();
  options.min_p = 0.3;  // exp(2-3) = 0.37 stays, exp(1-3) = 0.14 goes
  EXPECT_EQ(draw_many(options, 3000).size(), 3u);
}

TEST(Sampler, PaddingRowsAreNeverDrawn) {
  std::vector<float> logits = kLogits;
  logits.push_back(100.0f);
  Sampler sampler({.temperature = 0.0}, 6);
  EXPECT_EQ(sampler.sample(logits, scratch()).token, 1);
}

TEST(Sampler, Penalties) {
  Sampler repetition({.temperature = 0.0, .repetition_penalty = 2.0}, 6);
  std::vector<TokenId> prompt = {1, 4};
  repetition.saw_prompt(prompt);
  EXPECT_EQ(repetition.sample(kLogits, scratch()).token, 2);  // 3/2 < 2

  Sampler presence({.temperature = 0.0, .presence_penalty = 1.5}, 6);
  presence.saw_prompt(prompt);  // the prompt does not count for OpenAI's penalties
  EXPECT_EQ(presence.sample(kLogits, scratch()).token, 1);
  EXPECT_EQ(presence.sample(kLogits, scratch()).token, 4);
  EXPECT_EQ(presence.sample(kLogits, scratch()).token, 2);  // 2 > 3 - 1.5

  Sampler frequency({.temperature = 0.0, .frequency_penalty = 0.4}, 6);
  std::vector<TokenId> drawn;
  for (int i = 0; i < 5; i++) drawn.push_back(frequency.sample(kLogits, scratch()).token);
  EXPECT_EQ(drawn, (std::vector<TokenId>{1, 4, 1, 4, 1}));  // 3-0.8 = 2.2 still beats 2
}

TEST(Sampler, LogitBias) {
  Sampler sampler({.temperature = 0.0, .logit_bias = {{1, -100.0f}, {4, -100.0f}, {3, 50.0f}}}, 6);
  EXPECT_EQ(sampler.sample(kLogits, scratch()).token, 3);
}

TEST(Sampler, SameSeedSameTokens) {
  auto draw = [](uint64_t seed) {
    Sampler sampler({.temperature = 1.0, .top_p = 0.95, .seed = seed}, 6);
    std::vector<TokenId> tokens;
    for (int i = 0; i < 50; i++) tokens.push_back(sampler.sample(kLogits, scratch()).token);
    return tokens;
  };
  EXPECT_EQ(draw(7), draw(7));
  EXPECT_NE(draw(7), draw(8));
}

TEST(Sampler, LogprobsAreTheModelsOwn) {
  Sampler sampler({.temperature = 0.0, .logit_bias = {{2, 10.0f}}, .n_logprobs = 3}, 6);
  SampledToken token = sampler.sample(kLogits, scratch());
  ASSERT_EQ(token.token, 2);
  double sum = 0;
  for (float logit : kLogits) sum += std::exp(static_cast<double>(logit));
  EXPECT_NEAR(token.logprob, 2.0 - std::log(sum), 1e-6);
  ASSERT_EQ(token.top.size(), 3u);
  EXPECT_EQ(token.top[0].token, 1);
  EXPECT_EQ(token.top[1].token, 4);
  EXPECT_NEAR(token.top[0].logprob, 3.0 - std::log(sum), 1e-6);
}

TEST(Sampler, BadOptionsAreNamed) {
  EXPECT_ERROR(validate_sampling({.temperature = -1}, 6), "temperature = -1");
  EXPECT_ERROR(validate_sampling({.temperature = std::nan("")}, 6), "temperature");
  EXPECT_ERROR(validate_sampling({.top_p = 1.5}, 6), "top_p = 1.5");
  EXPECT_ERROR(validate_sampling({.min_p = -0.1}, 6), "min_p");
  EXPECT_ERROR(validate_sampling({.repetition_penalty = 0}, 6), "repetition_penalty");
  EXPECT_ERROR(validate_sampling({.logit_bias = {{6, 1.0f}}}, 6), "token 6");
}

TEST(Sampler, DrawsOnlyWhatIsAllowed) {
  const std::vector<uint64_t> allowed = {0b101001};  // 0, 3, 5
  Sampler greedy({.temperature = 0.0}, 6);
  EXPECT_EQ(greedy.sample(kLogits, scratch(), allowed).token, 0);
  std::map<TokenId, int> counts;
  for (int i = 0; i < 2000; i++) {
    Sampler sampler({.temperature = 1.0, .top_p = 1.0, .seed = static_cast<uint64_t>(i)}, 6);
    counts[sampler.sample(kLogits, scratch(), allowed).token]++;
  }
  EXPECT_EQ(counts.size(), 3u);
  // e^1 : e^-1 : e^0.5, five standard errors.
  const double sum = std::exp(1.0) + std::exp(-1.0) + std::exp(0.5), p = std::exp(1.0) / sum;
  EXPECT_NEAR(counts[0] / 2000.0, p, 5 * std::sqrt(p * (1 - p) / 2000));
  Sampler only({.temperature = 1.0, .top_k = 3, .top_p = 0.5}, 6);
  EXPECT_EQ(only.sample(kLogits, scratch(), std::vector<uint64_t>{0b1000}).token, 3);
}

TEST(Sampler, AForcedTokenCountsAsDrawn) {
  Sampler sampler({.temperature = 0.0, .presence_penalty = 1.5, .n_logprobs = 1}, 6);
  const SampledToken forced = sampler.force(1, kLogits, scratch());
  EXPECT_EQ(forced.token, 1);
  EXPECT_EQ(forced.top[0].token, 1);
  EXPECT_LT(forced.logprob, 0);
  EXPECT_EQ(sampler.sample(kLogits, scratch()).token, 4);
}

}  // namespace
}  // namespace minke
