// Sixty requests that come, share beginnings, make room for each other, are cut and cancelled at random: each gets what it gets
// alone, to the bit, and every page comes back.
#include <random>

#include "engine/engine.h"
#include "engine_fixture.h"

namespace minke {
namespace {

using namespace testing;

class Dice {
 public:
  explicit Dice(uint64_t seed) : generator_(seed) {}
  int64_t roll(int64_t low, int64_t high) {  // with both ends; the same on every machine
    return low + static_cast<int64_t>(generator_() % static_cast<uint64_t>(high - low + 1));
  }
  bool is_one_in(int64_t n) { return roll(1, n) == 1; }

 private:
  std::mt19937_64 generator_;
};

EngineRequest random_request(Dice& dice, int64_t vocab_size) {
  std::vector<TokenId> prompt = some_tokens(dice.is_one_in(3) ? dice.roll(60, 110) : dice.roll(1, 40), dice.roll(1, 3));
  for (int64_t n = dice.roll(0, 9); n > 0; n--) prompt.push_back(static_cast<TokenId>(dice.roll(0, 90)));
  const int n_samples = dice.is_one_in(4) ? static_cast<int>(dice.roll(2, 3)) : 1;
  const int64_t n_new =
      n_samples < 3 && dice.is_one_in(2) ? 250 - static_cast<int64_t>(prompt.size()) - dice.roll(0, 40) : dice.roll(1, 25);
  EngineRequest r = request(std::move(prompt), n_new, static_cast<uint64_t>(dice.roll(0, 1000)), n_samples);
  if (dice.is_one_in(4)) r.sampling.temperature = 0;
  if (dice.is_one_in(3)) r.sampling.top_p = 0.8;
  if (dice.is_one_in(3)) r.sampling.top_k = 11;
  if (dice.is_one_in(3)) r.sampling.repetition_penalty = 1.2;
  if (dice.is_one_in(3)) r.sampling.frequency_penalty = 0.4;
  if (dice.is_one_in(4)) r.stop_tokens = {static_cast<TokenId>(dice.roll(0, 90))};
  if (dice.is_one_in(3)) r.guide = [=](int) { return std::make_unique<EvenGuide>(vocab_size); };
  r.client = std::to_string(dice.roll(1, 3));
  return r;
}

// What came of a request that was cut is the beginning of what it says alone.
void expect_same(const Answer& got, const Answer& alone, bool was_cut, const std::string& where) {
  ASSERT_LE(got.tokens.size(), alone.tokens.size()) << where;
  EXPECT_TRUE(std::equal(got.tokens.begin(), got.tokens.end(), alone.tokens.begin())) << where;
  EXPECT_TRUE(std::equal(got.logprobs.begin(), got.logprobs.end(), alone.logprobs.begin())) << where;
  if (was_cut) return;
  EXPECT_EQ(got.tokens.size(), alone.tokens.size()) << where;
  EXPECT_EQ(got.finish, alone.finish) << where;
}

void run_at_random(const std::string& name, MlaCache mla, uint64_t seed) {
  EngineFixture f(name);
  Dice dice(seed);
  constexpr int64_t kRequests = 60;
  std::unique_ptr<Engine> engine =
      f.engine({.cache_tokens = 576, .max_running = 9, .prefill_tokens = dice.roll(5, 90), .prefix_tokens = 320, .mla = mla});
  std::vector<EngineRequest> requests;
  std::vector<bool> was_cut(kRequests);
  Answers answers;
  int64_t n_reused = 0;
  while (static_cast<int64_t>(requests.size()) < kRequests || !engine->is_idle()) {
    if (static_cast<int64_t>(requests.size()) < kRequests && (engine->is_idle() || dice.is_one_in(2))) {
      requests.push_back(random_request(dice, f.model->config().vocab_size));
      value_of(engine->submit(requests.back()));
    }
    take_step(*engine, answers, [&](const EngineToken& token) {
      n_reused += token.n_reused;
      const bool goes_on = !dice.is_one_in(1500);
      if (!goes_on) was_cut[static_cast<size_t>(token.request)] = true;
      return goes_on;
    });
    if (dice.is_one_in(50)) {
      const int64_t id = dice.roll(0, kRequests - 1);
      if (id < static_cast<int64_t>(requests.size())) was_cut[static_cast<size_t>(id)] = true;
      engine->cancel(id);
    }
    ASSERT_LE(engine->prefixes().n_tokens(), 320);
  }
  EXPECT_GT(engine->n_preempted(), 0);
  EXPECT_GT(n_reused, 0);
  engine->forget_prefixes();
  EXPECT_EQ(engine->n_free_pages(), 9);
  f.context = Context{nullptr, best_isa()};  // and on one thread
  std::unique_ptr<Engine> lonely = f.engine({.mla = mla});
  int64_t n_whole = 0;
  for (size_t i = 0; i < requests.size(); i++) {
    const int64_t id = value_of(lonely->submit(requests[i]));
    const Answers alone = run(*lonely);
    n_whole += was_cut[i] ? 0 : 1;
    for (int s = 0; s < requests[i].n_samples; s++) {
      const auto got = answers.find({static_cast<int64_t>(i), s});
      if (got == answers.end()) {
        EXPECT_TRUE(was_cut[i]) << i;
        continue;
      }
      expect_same(got->second, alone.at({id, s}), was_cut[i], fmt::format("{} request {} sample {}", name, i, s));
    }
  }
  EXPECT_GT(n_whole, 20);
}

TEST(EngineRandom, KeysAndValues) { run_at_random("qwen3", MlaCache::kLatent, 1); }
TEST(EngineRandom, Latents) { run_at_random("deepseek_v3", MlaCache::kLatent, 2); }
TEST(EngineRandom, Heads) { run_at_random("deepseek_v2_lite", MlaCache::kHeads, 4); }

}  // namespace
}  // namespace minke
