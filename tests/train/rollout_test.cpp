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

std::vector<Sample> sample(Model& model, const Context& context) {
  std::unique_ptr<Engine> engine =
      value_of(Engine::create(model, context, {.prefill_tokens = 11, .mla = MlaCache::kHeads}, model.config().vocab_size));
  std::vector<std::vector<TokenId>> prompts = {{1, 2, 3}, {90, 3, 77, 12, 5, 6, 7, 8, 9, 40, 41}, std::vector<TokenId>(70, 13)};
  for (size_t i = 0; i < prompts.size(); i++) {
    EngineRequest request;
    request.prompt = prompts[i];
    request.sampling.temperature = 1;
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

// All samples as rows of one batch; only token `counted` of sample `which` has weight.
TrainingRows rows_of(const std::vector<Sample>& samples, size_t which, size_t counted) {
  TrainingRows rows;
  for (size_t i = 0; i < samples.size(); i++) {
    const std::vector<TokenId>& tokens = samples[i].tokens;
    for (size_t t = 0; t + 1 < tokens.size(); t++) {
      rows.tokens.push_back(tokens[t]);
      rows.targets.push_back(tokens[t + 1]);
      rows.weights.push_back(i == which && t + 1 == counted ? 1.0f : 0.0f);
    }
    rows.piece_lengths.push_back(static_cast<int64_t>(tokens.size()) - 1);
    rows.row_lengths.push_back(rows.piece_lengths.back());
  }
  return rows;
}

TEST(Rollout, LogprobsAreTheTrainersToTheBit) {
  ThreadPool pool(2);
  const Context context{&pool, best_isa()};
  for (const char* name : {"deepseek_v3", "deepseek_v2_lite", "qwen3"}) {
    std::unique_ptr<Model> model = value_of(Model::load(repository_path(std::string("tests/goldens/models/") + name)));
    const std::vector<Sample> samples = sample(*model, context);
    ASSERT_EQ(samples.size(), 9u);
    TrainingPass pass = value_of(TrainingPass::create(*model));
    for (size_t i = 0; i < samples.size(); i++) {
      const Sample& s = samples[i];
      const size_t n_prompt = s.tokens.size() - s.logprobs.size();
      for (size_t t = 0; t < s.logprobs.size(); t += 1 + s.logprobs.size() / 5) {
        const LossParts loss = value_of(pass.evaluate(rows_of(samples, i, n_prompt + t), {}, context));
        ASSERT_EQ(static_cast<float>(-loss.cross_entropy), s.logprobs[t]) << name << ", sample " << i << ", token " << t;
      }
    }
  }
}

}  // namespace
}  // namespace minke::testing
