// Many sequences at once: each gets what it gets alone, whatever runs beside it, and the cache gives back what it lent.
#include "engine/engine.h"

#include <algorithm>
#include <map>

#include "support/support.h"

namespace minke {
namespace {

using testing::value_of;

struct Answer {
  std::vector<TokenId> tokens;
  std::vector<float> logprobs;
  std::optional<FinishReason> finish;
  bool operator==(const Answer&) const = default;
};
using Answers = std::map<std::pair<int64_t, int>, Answer>;

struct Fixture {
  std::unique_ptr<Model> model;
  ThreadPool pool{2};
  Context context{&pool, best_isa()};

  explicit Fixture(const std::string& name = "deepseek_v3")
      : model(value_of(Model::load(testing::repository_path("tests/goldens/models/" + name)))) {}
  std::unique_ptr<Engine> engine(const EngineOptions& options = {.mla = MlaCache::kHeads}) {
    return value_of(Engine::create(*model, context, options, model->config().vocab_size));
  }
};

Answers run(Engine& engine, const std::function<bool(const EngineToken&)>& goes_on = nullptr) {
  Answers answers;
  for (int n_steps = 0; !engine.is_idle(); n_steps++) {
    if (n_steps > 10'000) throw std::runtime_error("the engine does not come to an end");
    value_of(engine.step([&](const EngineToken& token) {
      Answer& answer = answers[{token.request, token.sample}];
      EXPECT_FALSE(answer.finish) << "a token after the last";
      answer.tokens.push_back(token.token);
      answer.logprobs.push_back(token.logprob);
      answer.finish = token.finish;
      return !goes_on || goes_on(token);
    }));
  }
  return answers;
}

EngineRequest request(std::vector<TokenId> prompt, int64_t n_new, uint64_t seed, int n_samples = 1) {
  EngineRequest r;
  r.prompt = std::move(prompt);
  r.sampling.temperature = 1.0;
  r.sampling.top_p = 1.0;
  r.sampling.seed = seed;
  r.max_new_tokens = n_new;
  r.n_samples = n_samples;
  return r;
}

std::vector<EngineRequest> mixed_requests() {
  std::vector<EngineRequest> requests;
  for (uint64_t i = 0; i < 9; i++) {
    std::vector<TokenId> prompt;
    for (uint64_t j = 0; j < 3 + 17 * i % 90; j++) prompt.push_back(static_cast<TokenId>((7 * i + 5 * j) % 90));
    requests.push_back(request(prompt, static_cast<int64_t>(4 + 5 * i), 100 + i, 1 + static_cast<int>(i % 3)));
    if (i % 4 == 3) requests.back().sampling.temperature = 0.7;
    if (i % 4 == 2) requests.back().sampling.temperature = 0;
  }
  return requests;
}

TEST(Engine, CompanyAndOptionsChangeNoBit) {
  for (const char* name : {"deepseek_v3", "deepseek_v2_lite", "qwen3"}) {
    Fixture f(name);
    std::vector<Answers> all;
    for (const EngineOptions& options :
         {EngineOptions{.mla = MlaCache::kHeads}, EngineOptions{.max_running = 3, .mla = MlaCache::kHeads},
          EngineOptions{.cache_tokens = 640, .prefill_tokens = 7, .mla = MlaCache::kHeads}}) {
      std::unique_ptr<Engine> engine = f.engine(options);
      for (const EngineRequest& r : mixed_requests()) value_of(engine->submit(r));
      all.push_back(run(*engine));
    }
    EXPECT_EQ(all[0].size(), 18u);
    EXPECT_TRUE(all[0] == all[1]) << name << ": three at a time";
    EXPECT_TRUE(all[0] == all[2]) << name << ": a small cache and small pieces";
    int64_t id = 0;
    for (const EngineRequest& r : mixed_requests()) {
      std::unique_ptr<Engine> engine = f.engine();
      value_of(engine->submit(r));
      for (const auto& [place, answer] : run(*engine)) {
        EXPECT_TRUE(all[0].at({id, place.second}) == answer) << name << ": alone, request " << id;
      }
      id++;
    }
  }
}

TEST(Engine, SamplesOfAPromptDiffer) {
  Fixture f;
  std::unique_ptr<Engine> engine = f.engine();
  value_of(engine->submit(request({1, 2, 3, 4, 5}, 12, 1, 8)));
  const Answers answers = run(*engine);
  ASSERT_EQ(answers.size(), 8u);
  for (int i = 1; i < 8; i++) EXPECT_NE(answers.at({0, i}).tokens, answers.at({0, 0}).tokens);
}

TEST(Engine, GivesWhatTheGeneratorGives) {
  Fixture f;
  const std::vector<TokenId> prompt = {3, 14, 15, 92, 65, 35};
  Generator generator(*f.model, f.context, {.context_tokens = 128}, f.model->config().vocab_size);
  GenerateRequest r;
  r.prompt = prompt;
  r.sampling.temperature = 0;
  r.max_new_tokens = 40;
  std::vector<TokenId> expected;
  value_of(generator.generate(r, [&](const GeneratedToken& token) {
    expected.push_back(token.sampled.token);
    return Control::kContinue;
  }));
  std::unique_ptr<Engine> engine = f.engine({});
  EngineRequest same = request(prompt, 40, 0);
  same.sampling.temperature = 0;
  value_of(engine->submit(same));
  EXPECT_EQ(run(*engine).at({0, 0}).tokens, expected);
}

TEST(Engine, EndsForTheReasonItSays) {
  Fixture f;
  std::unique_ptr<Engine> engine = f.engine();
  value_of(engine->submit(request({1, 2, 3}, 5, 1)));
  const Answers answers = run(*engine);
  EXPECT_EQ(answers.at({0, 0}).finish, FinishReason::kLength);
  const std::vector<TokenId> tokens = answers.at({0, 0}).tokens;
  ASSERT_EQ(tokens.size(), 5u);

  EngineRequest stopping = request({1, 2, 3}, 5, 1);
  stopping.stop_tokens = {tokens[2]};
  value_of(engine->submit(stopping));
  const Answers stopped = run(*engine);
  EXPECT_EQ(stopped.at({1, 0}).finish, FinishReason::kStopToken);
  EXPECT_LE(stopped.at({1, 0}).tokens.size(), 3u);

  value_of(engine->submit(request({1, 2, 3}, 5, 1)));
  const Answers cut = run(*engine, [](const EngineToken&) { return false; });
  EXPECT_EQ(cut.at({2, 0}).tokens.size(), 1u);

  std::unique_ptr<Engine> small = f.engine({.cache_tokens = 64, .mla = MlaCache::kHeads});
  value_of(small->submit(request(std::vector<TokenId>(60, 1), -1, 1)));
  const Answers full = run(*small);
  EXPECT_EQ(full.at({0, 0}).finish, FinishReason::kContextFull);
  EXPECT_EQ(full.at({0, 0}).tokens.size(), 5u);  // the last is not run
}

TEST(Engine, RefusesWhatCannotRun) {
  Fixture f;
  std::unique_ptr<Engine> engine = f.engine({.cache_tokens = 128, .mla = MlaCache::kHeads});
  EXPECT_ERROR(engine->submit(request({}, 1, 0)), "no tokens");
  EXPECT_ERROR(engine->submit(request({1}, 0, 0)), "max_new_tokens 0");
  EXPECT_ERROR(engine->submit(request({1}, 1, 0, 0)), "0 samples");
  EXPECT_ERROR(engine->submit(request({1, 2}, 100, 0, 2)), "the KV cache holds 128");
  EngineRequest hot = request({1}, 1, 0);
  hot.sampling.temperature = -1;
  EXPECT_ERROR(engine->submit(hot), "temperature = -1");
}

TEST(Engine, AFullHouseWaitsAndEveryPageComesBack) {
  Fixture f;
  std::unique_ptr<Engine> engine = f.engine({.cache_tokens = 256, .max_running = 4, .mla = MlaCache::kHeads});
  for (int round = 0; round < 3; round++) {
    for (uint64_t i = 0; i < 20; i++) value_of(engine->submit(request({1, 2, 3}, 20, i, 1 + static_cast<int>(i % 4))));
    EXPECT_EQ(run(*engine).size(), 50u);
  }
  for (uint64_t i = 0; i < 20; i++) value_of(engine->submit(request({1, 2, 3}, 20, i, 4)));
  for (int i = 0; i < 10; i++) value_of(engine->step([](const EngineToken&) { return true; }));
  EXPECT_GT(engine->n_running(), 0);
  engine->clear();
  EXPECT_TRUE(engine->is_idle());
  value_of(engine->submit(request(std::vector<TokenId>(250, 1), 6, 1)));  // needs every page
  EXPECT_EQ(run(*engine).size(), 1u);
}

// Where latents are cached, generated tokens are absorbed and prompts are naive: what is read again must keep to that.
TEST(Engine, MakingRoomForOthersChangesNoBit) {
  for (const char* name : {"deepseek_v3", "deepseek_v2_lite", "qwen3"}) {
    Fixture f(name);
    std::vector<Answers> all;
    for (int64_t cache_tokens : {4096, 384, 320}) {
      std::unique_ptr<Engine> engine = f.engine({.cache_tokens = cache_tokens, .prefill_tokens = 33});
      for (const EngineRequest& r : mixed_requests()) value_of(engine->submit(r));
      all.push_back(run(*engine));
      EXPECT_EQ(engine->n_preempted() > 0, cache_tokens < 4096) << name << " " << cache_tokens;
    }
    EXPECT_TRUE(all[0] == all[1]) << name;
    EXPECT_TRUE(all[0] == all[2]) << name;
  }
}

TEST(Engine, ABeginningThatIsKnownIsNotReadAgain) {
  for (const char* name : {"deepseek_v3", "qwen3"}) {
    Fixture f(name);
    std::vector<TokenId> prompt;
    for (int i = 0; i < 75; i++) prompt.push_back(static_cast<TokenId>((11 * i + 3) % 90));
    std::unique_ptr<Engine> engine = f.engine({.prefix_tokens = 1024}), fresh = f.engine({});
    value_of(engine->submit(request(prompt, 20, 1)));
    const Answers first = run(*engine);
    EXPECT_EQ(engine->prefixes().n_entries(), 1);
    std::vector<TokenId> second = prompt;
    const std::vector<TokenId>& said = first.at({0, 0}).tokens;
    second.insert(second.end(), said.begin(), said.end());
    second.insert(second.end(), {5, 6, 7});
    // Of MLA's latents only the prompt is known, of keys and values all that was run.
    const int64_t n_known = std::string(name) == "qwen3" ? 75 + 19 : 75;
    value_of(engine->submit(request(second, 10, 2)));
    value_of(fresh->submit(request(second, 10, 2)));
    int64_t n_reused = -1;
    const Answers again = run(*engine, [&](const EngineToken& token) {
      n_reused = token.n_reused;
      return true;
    });
    EXPECT_EQ(n_reused, n_known) << name;
    EXPECT_TRUE(again.at({1, 0}) == run(*fresh).at({0, 0})) << name;
    // The very same prompt: all but its last token.
    value_of(engine->submit(request(prompt, 20, 1)));
    EXPECT_TRUE(run(*engine, [&](const EngineToken& token) {
                  n_reused = token.n_reused;
                  return true;
                }).at({2, 0}) == first.at({0, 0}));
    EXPECT_EQ(n_reused, 74) << name;
  }
}

TEST(Engine, BeginningsMakeRoomWhenPagesRunOut) {
  Fixture f;
  std::unique_ptr<Engine> engine = f.engine({.cache_tokens = 512, .prefix_tokens = 512});
  for (uint64_t i = 0; i < 30; i++) {
    value_of(engine->submit(request(std::vector<TokenId>(60, static_cast<TokenId>(i)), 10, i)));
    EXPECT_EQ(run(*engine).size(), 1u);
    EXPECT_LE(engine->prefixes().n_tokens(), 512);
  }
  EXPECT_GT(engine->prefixes().n_entries(), 2);
  value_of(engine->submit(request(std::vector<TokenId>(500, 1), 12, 1)));
  EXPECT_EQ(run(*engine).at({30, 0}).tokens.size(), 12u);
  EXPECT_EQ(engine->n_preempted(), 0);
}

TEST(Engine, ACancelledRequestIsForgottenWhereverItStands) {
  Fixture f;
  std::unique_ptr<Engine> engine = f.engine({.cache_tokens = 512, .max_running = 2, .prefill_tokens = 16});
  const int64_t runs = value_of(engine->submit(request({1, 2, 3}, 50, 1)));
  const int64_t reads = value_of(engine->submit(request(std::vector<TokenId>(200, 4), 50, 2)));
  const int64_t waits = value_of(engine->submit(request({5, 6}, 50, 3)));
  for (int i = 0; i < 3; i++) value_of(engine->step([](const EngineToken&) { return true; }));
  EXPECT_EQ(engine->n_running(), 1);
  EXPECT_EQ(engine->n_waiting(), 1);
  for (int64_t id : {waits, reads, runs, int64_t{99}}) engine->cancel(id);
  EXPECT_TRUE(engine->is_idle());
  value_of(engine->submit(request(std::vector<TokenId>(500, 1), 12, 1)));  // every page is free
  EXPECT_EQ(run(*engine).size(), 1u);
}

TEST(Engine, WhoHasTheLeastUnderWayGoesFirst) {
  Fixture f;
  std::unique_ptr<Engine> engine = f.engine({.max_running = 2});
  for (uint64_t i = 0; i < 6; i++) {
    EngineRequest r = request({1, 2, 3}, 8, i);
    r.client = i == 5 ? 2 : 1;
    value_of(engine->submit(r));
  }
  std::vector<int64_t> order;
  run(*engine, [&](const EngineToken& token) {
    if (std::find(order.begin(), order.end(), token.request) == order.end()) order.push_back(token.request);
    return true;
  });
  EXPECT_EQ(order, (std::vector<int64_t>{0, 5, 1, 2, 3, 4}));
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

TEST(Engine, AGuideSaysWhatMayFollow) {
  Fixture f;
  std::vector<Answers> all;
  for (int64_t cache_tokens : {2048, 192}) {
    std::unique_ptr<Engine> engine = f.engine({.cache_tokens = cache_tokens});
    for (uint64_t i = 0; i < 4; i++) {
      EngineRequest r = request({1, 2, 3}, 40, i, 2);
      r.guide = [&](int) { return std::make_unique<EvenGuide>(f.model->config().vocab_size); };
      value_of(engine->submit(r));
    }
    all.push_back(run(*engine));
    EXPECT_EQ(engine->n_preempted() > 0, cache_tokens == 192);
  }
  EXPECT_TRUE(all[0] == all[1]);
  for (const auto& [place, answer] : all[0]) EXPECT_EQ(answer.tokens[2], 7);
}

TEST(Engine, SaysWhatIsThought) {
  Fixture f;
  std::unique_ptr<Engine> engine = f.engine({});
  EngineRequest r = request({1, 60, 3}, 6, 1);
  r.thought = {60, 7};
  r.guide = [&](int) { return std::make_unique<EvenGuide>(f.model->config().vocab_size); };
  value_of(engine->submit(r));
  std::string seen;
  run(*engine, [&](const EngineToken& token) {
    seen += token.place.is_mark ? 'm' : token.place.is_thought ? 't' : 'a';
    return true;
  });
  EXPECT_EQ(seen, "ttmaaa");
}

}  // namespace
}  // namespace minke
