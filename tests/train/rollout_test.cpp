// What a sampled token's log-probability was is what the trainer computes for it, bit for bit: one forward pass, one form of
// attention, products that do not depend on their company.
#include <gtest/gtest.h>

#include <map>

#include "engine/engine.h"
#include "model/training/training_pass.h"
#include "support/support.h"

namespace minke::testing {
namespace {

struct Sample {
  std::vector<TokenId> tokens;  // prompt and answer
  std::vector<float> logprobs;  // of the answer
};

std::vector<Sample> sample(Model& model, double temperature, const Context& context) {
  std::unique_ptr<Engine> engine =
      value_of(Engine::create(model, context, {.prefill_tokens = 11, .mla = MlaCache::kHeads}, model.config().vocab_size));
  std::vector<std::vector<TokenId>> prompts = {{1, 2, 3}, {90, 3, 77, 12, 5, 6, 7, 8, 9, 40, 41}, std::vector<TokenId>(70, 13)};
  for (size_t i = 0; i < prompts.size(); i++) {
    EngineRequest request;
    request.prompt = prompts[i];
    request.sampling.temperature = temperature;
    request.sampling.top_p = 1;
    request.sampling.seed = i;
    request.max_new_tokens = 20 + 60 * static_cast<int64_t>(i);
    request.n_samples = 3;
    value_of(engine->submit(std::move(request)));
  }
  std::map<std::pair<int64_t, int>, Sample> samples;
  while (!engine->is_idle()) {
    value_of(engine->step([&](const EngineToken& token) {
      Sample& s = samples[{token.request, token.sample}];
      if (s.tokens.empty()) s.tokens = prompts[static_cast<size_t>(token.request)];
      s.tokens.push_back(token.token);
      s.logprobs.push_back(token.logprob);
      return true;
    }));
  }
  std::vector<Sample> out;
  for (auto& [key, s] : samples) out.push_back(std::move(s));
  return out;
}

// All samples as rows of one batch; the tokens of the answers count.
TrainingRows rows_of(const std::vector<Sample>& samples) {
  TrainingRows rows;
  for (const Sample& s : samples) {
    const size_t n = s.tokens.size() - 1, n_prompt = s.tokens.size() - s.logprobs.size();
    rows.tokens.insert(rows.tokens.end(), s.tokens.begin(), s.tokens.end() - 1);
    rows.targets.insert(rows.targets.end(), s.tokens.begin() + 1, s.tokens.end());
    for (size_t t = 0; t < n; t++) rows.weights.push_back(t + 1 >= n_prompt ? 1.0f : 0.0f);
    rows.piece_lengths.push_back(static_cast<int64_t>(n));
    rows.row_lengths.push_back(static_cast<int64_t>(n));
  }
  return rows;
}

TEST(Rollout, LogprobsAreTheTrainersToTheBit) {
  ThreadPool pool(2);
  const Context context{&pool, best_isa()};
  for (const char* name : {"deepseek_v3", "deepseek_v2_lite", "qwen3"}) {
    std::unique_ptr<Model> model = value_of(Model::load(repository_path(std::string("tests/goldens/models/") + name)));
    TrainingPass pass = value_of(TrainingPass::create(*model));
    for (double temperature : {1.0, 0.7}) {
      const std::vector<Sample> samples = sample(*model, temperature, context);
      ASSERT_EQ(samples.size(), 9u);
      std::vector<float> sampled;
      for (const Sample& s : samples) sampled.insert(sampled.end(), s.logprobs.begin(), s.logprobs.end());
      const TokenLogprobs trainers = value_of(pass.logprobs(rows_of(samples), temperature, context));
      EXPECT_TRUE(trainers.logprobs == sampled) << name << " at " << temperature;
    }
  }
}

}  // namespace
}  // namespace minke::testing
