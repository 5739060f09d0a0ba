// Many sequences at once: each gets what it gets alone, whatever runs beside it, and the cache gives back what it lent.
#include "engine/engine.h"

#include <algorithm>

#include "engine_fixture.h"

namespace minke {
namespace {

using namespace testing;

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
    EngineFixture f(name);
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
  EngineFixture f;
  std::unique_ptr<Engine> engine = f.engine();
  value_of(engine->submit(request({1, 2, 3, 4, 5}, 12, 1, 8)));
  const Answers answers = run(*engine);
  ASSERT_EQ(answers.size(), 8u);
  for (int i = 1; i < 8; i++) EXPECT_NE(answers.at({0, i}).tokens, answers.at({0, 0}).tokens);
}

TEST(Engine, GivesWhatTheGeneratorGives) {
  EngineFixture f;
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
  EngineFixture f;
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
  EngineFixture f;
  std::unique_ptr<Engine> engine = f.engine({.cache_tokens = 128, .mla = MlaCache::kHeads});
  EXPECT_ERROR(engine->submit(request({}, 1, 0)), "no tokens");
  EXPECT_ERROR(engine->submit(request({1}, 0, 0)), "max_new_tokens 0");
  EXPECT_ERROR(engine->submit(request({1}, 1, 0, 0)), "0 samples");
  EXPECT_ERROR(engine->submit(request({1, 2}, 100, 0, 2)), "the KV cache holds 128");
  EngineRequest hot = request({1}, 1, 0);
  hot.sampling.temperature = -1;
  EXPECT_ERROR(engine->submit(hot), "temperature = -1");
  EXPECT_ERROR(engine->submit(request({1, 128}, 1, 0)), "token 128 of the prompt: the model's vocabulary is 0 to 127");
  EXPECT_ERROR(engine->submit(request({-1}, 1, 0)), "token -1");
  EXPECT_ERROR(engine->submit(request({1}, std::numeric_limits<int64_t>::max(), 0)), "at most 256 tokens");
  EXPECT_TRUE(engine->is_idle());
}

TEST(Engine, AFullHouseWaitsAndEveryPageComesBack) {
  EngineFixture f;
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
  EXPECT_EQ(engine->n_free_pages(), 4);
  value_of(engine->submit(request(std::vector<TokenId>(250, 1), 6, 1)));  // needs every page
  EXPECT_EQ(run(*engine).size(), 1u);
}

// Where latents are cached, generated tokens are absorbed and prompts are naive: what is read again must keep to that.
TEST(Engine, MakingRoomForOthersChangesNoBit) {
  for (const char* name : {"deepseek_v3", "qwen3"}) {
    EngineFixture f(name);
    std::vector<Answers> all;
    for (int64_t cache_tokens : {8192, 600}) {
      std::unique_ptr<Engine> engine = f.engine({.cache_tokens = cache_tokens, .prefill_tokens = 33});
      for (int64_t i = 0; i < 7; i++) {
        EngineRequest r = request(some_tokens(3 + 29 * i % 70, i), 150 + 4 * i, 100 + static_cast<uint64_t>(i), 1 + (i == 4));
        if (i == 2) r.sampling.temperature = 0;
        value_of(engine->submit(std::move(r)));
      }
      all.push_back(run(*engine));
      EXPECT_EQ(engine->n_preempted() > 0, cache_tokens < 8192) << name << " " << cache_tokens;
      EXPECT_EQ(engine->n_free_pages(), (cache_tokens + kPageSize - 1) / kPageSize);
    }
    EXPECT_TRUE(all[0] == all[1]) << name;
  }
}

TEST(Engine, ACancelledRequestIsForgottenWhereverItStands) {
  for (int64_t prefix_tokens : {0, 512}) {
    EngineFixture f;
    std::unique_ptr<Engine> engine =
        f.engine({.cache_tokens = 512, .max_running = 2, .prefill_tokens = 16, .prefix_tokens = prefix_tokens});
    const int64_t runs = value_of(engine->submit(request({1, 2, 3}, 50, 1)));
    const int64_t reads = value_of(engine->submit(request(some_tokens(200, 4), 50, 2)));
    const int64_t waits = value_of(engine->submit(request({5, 6}, 50, 3)));
    Answers answers;
    for (int i = 0; i < 3; i++) take_step(*engine, answers);
    EXPECT_EQ(engine->n_running(), 1);
    EXPECT_EQ(engine->n_waiting(), 1);
    for (int64_t id : {waits, reads, runs, int64_t{99}}) engine->cancel(id);
    EXPECT_TRUE(engine->is_idle());
    EXPECT_EQ(engine->prefixes().n_entries(), prefix_tokens > 0 ? 2 : 0);
    engine->forget_prefixes();
    EXPECT_EQ(engine->n_free_pages(), 8);
  }
}

TEST(Engine, WhoHasTheLeastUnderWayGoesFirst) {
  EngineFixture f;
  std::unique_ptr<Engine> engine = f.engine({.max_running = 2});
  for (uint64_t i = 0; i < 6; i++) {
    EngineRequest r = request({1, 2, 3}, 8, i);
    r.client = i == 5 ? "2" : "1";
    value_of(engine->submit(r));
  }
  std::vector<int64_t> order;
  run(*engine, [&](const EngineToken& token) {
    if (std::find(order.begin(), order.end(), token.request) == order.end()) order.push_back(token.request);
    return true;
  });
  EXPECT_EQ(order, (std::vector<int64_t>{0, 5, 1, 2, 3, 4}));
}

TEST(Engine, AGuideSaysWhatMayFollow) {
  EngineFixture f;
  std::vector<Answers> all;
  for (int64_t cache_tokens : {4096, 512}) {
    std::unique_ptr<Engine> engine = f.engine({.cache_tokens = cache_tokens});
    for (uint64_t i = 0; i < 4; i++) {
      EngineRequest r = request({1, 2, 3}, 200, i, 2);
      r.guide = [&](int) { return std::make_unique<EvenGuide>(f.model->config().vocab_size); };
      value_of(engine->submit(r));
    }
    all.push_back(run(*engine));
    EXPECT_EQ(engine->n_preempted() > 0, cache_tokens == 512);
  }
  EXPECT_TRUE(all[0] == all[1]);
  for (const auto& [place, answer] : all[0]) EXPECT_EQ(answer.tokens[2], 7);
}

}  // namespace
}  // namespace minke
