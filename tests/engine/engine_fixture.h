// What tests of the engine share: a tiny random model, requests, and all that comes out of a run.
#pragma once

#include <fstream>
#include <map>
#include <stdexcept>

#include "engine/engine.h"
#include "support/support.h"

namespace minke::testing {

struct Answer {
  std::vector<TokenId> tokens;
  std::vector<float> logprobs;
  std::optional<FinishReason> finish;
  int64_t n_reused = -1;
  // Whatever was found in the cache.
  bool operator==(const Answer& other) const {
    return tokens == other.tokens && logprobs == other.logprobs && finish == other.finish;
  }
};
using Answers = std::map<std::pair<int64_t, int>, Answer>;

// A golden model; one of keys and values with room for longer sequences than it was made for.
inline std::unique_ptr<Model> long_model(const std::string& name) {
  const std::string path = repository_path("tests/goldens/models/" + name);
  if (name != "qwen3") return value_of(Model::load(path));
  TemporaryDirectory folder;
  std::filesystem::copy(path, folder.path(), std::filesystem::copy_options::recursive);
  std::string config = read_test_file(path + "/config.json");
  const std::string from = "\"max_position_embeddings\": 128";
  config.replace(config.find(from), from.size(), "\"max_position_embeddings\": 512");
  std::filesystem::remove(folder.file("config.json"));
  std::ofstream(folder.file("config.json")) << config;
  return value_of(Model::load(folder.path().string()));
}

struct EngineFixture {
  std::unique_ptr<Model> model;
  ThreadPool pool{2};
  Context context{&pool, best_isa()};

  explicit EngineFixture(const std::string& name = "deepseek_v3") : model(long_model(name)) {}
  std::unique_ptr<Engine> engine(const EngineOptions& options = {.mla = MlaCache::kHeads}) {
    return value_of(Engine::create(*model, context, options, model->config().vocab_size));
  }
};

using GoesOn = std::function<bool(const EngineToken&)>;

inline void take_step(Engine& engine, Answers& answers, const GoesOn& goes_on = nullptr) {
  value_of(engine.step([&](const EngineToken& token) {
    Answer& answer = answers[{token.request, token.sample}];
    EXPECT_FALSE(answer.finish) << "a token after the last";
    answer.tokens.push_back(token.token);
    answer.logprobs.push_back(token.logprob);
    answer.finish = token.finish;
    answer.n_reused = token.n_reused;
    return !goes_on || goes_on(token);
  }));
}

inline Answers run(Engine& engine, const GoesOn& goes_on = nullptr) {
  Answers answers;
  for (int n_steps = 0; !engine.is_idle(); n_steps++) {
    if (n_steps > 20'000) throw std::runtime_error("the engine does not come to an end");
    take_step(engine, answers, goes_on);
  }
  return answers;
}

inline Answer run_one(Engine& engine, EngineRequest request) {
  const int64_t id = value_of(engine.submit(std::move(request)));
  return run(engine).at({id, 0});
}

inline EngineRequest request(std::vector<TokenId> prompt, int64_t n_new, uint64_t seed, int n_samples = 1) {
  EngineRequest r;
  r.prompt = std::move(prompt);
  r.sampling.temperature = 1.0;
  r.sampling.top_p = 1.0;
  r.sampling.seed = seed;
  r.max_new_tokens = n_new;
  r.n_samples = n_samples;
  return r;
}

// Tokens without a pattern, from 0 to 89.
inline std::vector<TokenId> some_tokens(int64_t n, int64_t which) {
  std::vector<TokenId> tokens;
  for (int64_t i = 0; i < n; i++) tokens.push_back(static_cast<TokenId>((11 * i + i * i / 7 + 17 * which + 3) % 90));
  return tokens;
}

// Allows even tokens only, and forces 7 as the third.
class EvenGuide : public TokenGuide {
 public:
  explicit EvenGuide(int64_t n_tokens) : allowed_(static_cast<size_t>((n_tokens + 63) / 64), 0x5555555555555555u) {}
  Rule next(std::span<const float>) override { return n_seen_ == 2 ? Rule{7, {}} : Rule{-1, allowed_}; }
  void accept(TokenId token) override {
    EXPECT_TRUE(n_seen_ == 2 ? token == 7 : token % 2 == 0);
    n_seen_++;
  }

 private:
  std::vector<uint64_t> allowed_;
  int n_seen_ = 0;
};

}  // namespace minke::testing
