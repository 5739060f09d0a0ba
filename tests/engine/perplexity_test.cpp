// Windows of a text against every token scored by itself.
#include "engine/perplexity.h"

#include <cmath>

#include "support/support.h"

namespace minke {
namespace {

using testing::repository_path;
using testing::value_of;

std::unique_ptr<Model> stories_model() { return value_of(Model::load(repository_path("tests/data/models/stories260K/hf"))); }

Context context() { return {nullptr, available_isas().back()}; }

std::vector<TokenId> drawn_tokens(int n) {
  std::vector<TokenId> tokens;
  for (int i = 0; i < n; i++) tokens.push_back((i * i * 31 + i * 7 + 3) % 512);
  return tokens;
}

// -log p(last token | the others), by one forward call for this token alone.
double last_nll(Model& model, const std::vector<TokenId>& tokens) {
  KvCache cache(model.config(), 512);
  SequenceCache sequence;
  Batch batch;
  batch.tokens.assign(tokens.begin(), tokens.end() - 1);
  const int64_t n = static_cast<int64_t>(batch.tokens.size());
  batch.sequences.push_back({&sequence, n, MlaForm::kNaive});
  batch.logit_rows = {n - 1};
  std::vector<float> logits;
  value_of(model.forward(logits, batch, cache, context()));
  double sum = 0;
  for (float logit : logits) sum += std::exp(static_cast<double>(logit));
  return std::log(sum) - logits[static_cast<size_t>(tokens.back())];
}

TEST(Perplexity, EveryTokenIsScoredOnceInTheWindowThatReachesItFirst) {
  auto model = stories_model();
  struct Case {
    int n_tokens;
    int64_t window, stride;
    TokenId bos;
  };
  for (const Case& c : {Case{30, 8, 3, 1}, Case{30, 8, 7, 1}, Case{30, 8, 3, -1}, Case{5, 64, 32, 1}, Case{150, 140, 40, -1}}) {
    const std::vector<TokenId> tokens = drawn_tokens(c.n_tokens);
    const int64_t room = c.window - (c.bos >= 0 ? 1 : 0);
    std::vector<double> expected;
    for (int64_t t = c.bos >= 0 ? 0 : 1; t < c.n_tokens; t++) {
      int64_t begin = 0;
      while (begin + room <= t) begin += c.stride;
      std::vector<TokenId> seen;
      if (c.bos >= 0) seen.push_back(c.bos);
      seen.insert(seen.end(), tokens.begin() + begin, tokens.begin() + t + 1);
      expected.push_back(last_nll(*model, seen));
    }
    const Perplexity result = value_of(
        measure_perplexity(*model, tokens, {.window = c.window, .stride = c.stride, .bos = c.bos, .progress = {}}, context()));
    ASSERT_EQ(result.nll.size(), expected.size());
    // Logits are the same bits; the two sums of exponentials differ by rounding, 512 additions of doubles.
    for (size_t i = 0; i < expected.size(); i++) ASSERT_NEAR(result.nll[i], expected[i], 1e-11) << i;
  }
}

TEST(Perplexity, ErrorsAreThoseOfAMean) {
  Perplexity p;
  p.nll = {1, 2, 3, 6};
  EXPECT_DOUBLE_EQ(p.mean_nll(), 3);
  EXPECT_DOUBLE_EQ(p.nll_error(), std::sqrt((4 + 1 + 0 + 9) / 3.0 / 4.0));
  EXPECT_DOUBLE_EQ(p.perplexity(), std::exp(3.0));
  EXPECT_DOUBLE_EQ(p.perplexity_error(), std::exp(3.0) * p.nll_error());
}

TEST(Perplexity, WindowsThatCannotWorkAreRefused) {
  auto model = stories_model();
  auto run = [&](int n, int64_t window, int64_t stride) {
    const std::vector<TokenId> tokens = drawn_tokens(n);
    return measure_perplexity(*model, tokens, {.window = window, .stride = stride, .bos = 1, .progress = {}}, Context{});
  };
  EXPECT_ERROR(run(9, 513, 9), "longer than the model's context of 512");
  EXPECT_ERROR(run(9, 8, 8), "expected 1 to 7");
  EXPECT_ERROR(run(0, 8, 4), "nothing to predict");
}

}  // namespace
}  // namespace minke
