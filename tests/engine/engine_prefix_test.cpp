// What stays in the cache when a request ends, who finds it again, and that nothing else changes by it.
#include "engine/engine.h"
#include "engine_fixture.h"

namespace minke {
namespace {

using namespace testing;

TEST(EnginePrefix, ABeginningThatIsKnownIsNotReadAgain) {
  for (const char* name : {"deepseek_v3", "qwen3"}) {
    EngineFixture f(name);
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

TEST(EnginePrefix, BeginningsMakeRoomWhenPagesRunOut) {
  EngineFixture f;
  std::unique_ptr<Engine> engine = f.engine({.cache_tokens = 256, .prefix_tokens = 256});
  for (int64_t i = 0; i < 12; i++) {
    EXPECT_EQ(run_one(*engine, request(some_tokens(64, i), 10, 1)).tokens.size(), 10u);
    EXPECT_LE(engine->prefixes().n_tokens(), 256);
  }
  EXPECT_GE(engine->prefixes().n_entries(), 2);
  EXPECT_EQ(run_one(*engine, request(some_tokens(250, 1), 6, 1)).tokens.size(), 6u);  // needs every page
  EXPECT_EQ(engine->n_preempted(), 0);
  engine->forget_prefixes();
  EXPECT_EQ(engine->n_free_pages(), 4);
}

// A prompt that ends with the opening of a thought, a thought, its end, an answer; and the next turn, whose template leaves the
// thought out.
struct Turn {
  std::vector<TokenId> prompt, next;
  Answer answer;
};

// Closes the thought after n tokens.
class ThinksFor : public TokenGuide {
 public:
  ThinksFor(int64_t n, TokenId close) : n_(n), close_(close) {}
  Rule next(std::span<const float>) override { return {n_ == 0 ? close_ : -1, {}}; }
  void accept(TokenId) override { n_--; }

 private:
  int64_t n_;
  TokenId close_;
};

Turn think(Engine& engine, int64_t n_prompt, int64_t n_thought) {
  constexpr TokenId kOpen = 100, kClose = 101;
  Turn turn;
  turn.prompt = some_tokens(n_prompt, 1);
  turn.prompt.push_back(kOpen);
  EngineRequest r = request(turn.prompt, n_thought + 1 + 20, 5);
  r.thought = {kOpen, kClose};
  r.guide = [&](int) { return std::make_unique<ThinksFor>(n_thought, kClose); };
  turn.answer = run_one(engine, std::move(r));
  const std::vector<TokenId>& said = turn.answer.tokens;
  const auto close = said.begin() + n_thought;
  EXPECT_EQ(*close, kClose);
  turn.next.assign(turn.prompt.begin(), turn.prompt.end() - 1);
  turn.next.insert(turn.next.end(), close + 1, said.end());
  for (TokenId token : some_tokens(20, 2)) turn.next.push_back(token);
  turn.next.push_back(kOpen);
  return turn;
}

TEST(EnginePrefix, ATurnWithoutTheOldThoughtFindsAllBeforeIt) {
  for (const char* name : {"deepseek_v3", "qwen3"}) {
    EngineFixture f(name);
    for (int64_t n_prompt : {64, 75, 128}) {
      std::unique_ptr<Engine> engine = f.engine({.prefix_tokens = 1024});
      const Turn turn = think(*engine, n_prompt, 30);
      const Answer again = run_one(*engine, request(turn.next, 10, 2));
      EXPECT_EQ(again.n_reused, n_prompt) << name;
      EXPECT_TRUE(again == run_one(*f.engine({}), request(turn.next, 10, 2))) << name;
    }
  }
}

// When room is short the thought goes before what stood in front of it.
TEST(EnginePrefix, ALongThoughtMakesRoomBeforeItsPrompt) {
  EngineFixture f("qwen3");
  std::unique_ptr<Engine> engine = f.engine({.cache_tokens = 512, .prefix_tokens = 512});
  const Turn turn = think(*engine, 140, 200);
  EXPECT_EQ(engine->prefixes().n_tokens(), 141 + 200 + 20);
  run_one(*engine, request(some_tokens(250, 9), 2, 1));
  EXPECT_EQ(engine->prefixes().n_tokens(), 128 + 251);  // whole pages of the prompt
  const Answer again = run_one(*engine, request(turn.next, 10, 2));
  EXPECT_EQ(again.n_reused, 128);
  EXPECT_TRUE(again == run_one(*f.engine({}), request(turn.next, 10, 2)));
}

TEST(EnginePrefix, MoreThanIsKeptKeepsItsBeginning) {
  EngineFixture f("qwen3");
  std::unique_ptr<Engine> engine = f.engine({.prefix_tokens = 150});
  run_one(*engine, request(some_tokens(200, 1), 20, 1));
  EXPECT_EQ(engine->prefixes().n_tokens(), 128);
  EXPECT_EQ(run_one(*engine, request(some_tokens(200, 1), 2, 1)).n_reused, 128);
}

TEST(EnginePrefix, ClientsShareNothing) {
  EngineFixture f("qwen3");
  std::unique_ptr<Engine> engine = f.engine({.prefix_tokens = 1024});
  EngineRequest r = request(some_tokens(100, 1), 20, 1);
  r.client = "one";
  run_one(*engine, r);
  EXPECT_EQ(run_one(*engine, r).n_reused, 99);
  r.client = "another";
  EXPECT_EQ(run_one(*engine, r).n_reused, 0);
  EXPECT_EQ(run_one(*engine, r).n_reused, 99);
  EXPECT_EQ(engine->prefixes().n_entries(), 2);
  r.client = "one";
  EXPECT_EQ(run_one(*engine, r).n_reused, 99);
}

// Whoever goes on from a beginning shares its whole pages, and only those.
TEST(EnginePrefix, SharedPagesAreCountedOnce) {
  EngineFixture f("qwen3");
  std::unique_ptr<Engine> engine = f.engine({.cache_tokens = 1024, .prefix_tokens = 1024});
  run_one(*engine, request(some_tokens(130, 1), 2, 1));
  EXPECT_EQ(engine->n_free_pages(), 16 - 3);
  std::vector<TokenId> longer = some_tokens(130, 1);
  for (TokenId token : some_tokens(30, 2)) longer.push_back(token);
  for (int i = 0; i < 3; i++) value_of(engine->submit(request(longer, 20, static_cast<uint64_t>(i))));
  Answers answers;
  take_step(*engine, answers);
  ASSERT_EQ(engine->n_running(), 3);
  EXPECT_EQ(engine->n_free_pages(), 16 - 3 - 3);
  for (const auto& [place, answer] : answers) EXPECT_EQ(answer.n_reused, 130);
  run(*engine);
  EXPECT_EQ(engine->prefixes().n_entries(), 4);
  EXPECT_EQ(engine->n_free_pages(), 16 - 2 - 4);  // two shared ones, and the end of each
  engine->forget_prefixes();
  EXPECT_EQ(engine->n_free_pages(), 16);
}

// A prompt that cannot begin yet does not drive out what others may still begin with.
TEST(PrefixCache, ReleasesOnlyWhenItIsEnough) {
  EngineFixture f("qwen3");
  KvCache cache(f.model->config(), 640);
  PrefixCache prefixes(cache, 640);
  const auto hold = [&](int64_t n_tokens) {
    SequenceCache sequence;
    value_of(cache.reserve(sequence, n_tokens));
    sequence.n_tokens = n_tokens;
    return sequence;
  };
  prefixes.keep(some_tokens(100, 1), hold(100), 100, 100, "");
  prefixes.keep(some_tokens(200, 2), hold(200), 80, 80, "");
  SequenceCache other = hold(128);
  EXPECT_EQ(cache.n_free_pages(), 10 - 2 - 4 - 2);
  EXPECT_FALSE(prefixes.release(9));
  EXPECT_EQ(prefixes.n_entries(), 2);
  SequenceCache taken = value_of(prefixes.take(some_tokens(100, 1), 1, ""));  // shares a page, copies one
  EXPECT_EQ(taken.n_tokens, 99);
  EXPECT_EQ(cache.n_free_pages(), 1);
  EXPECT_FALSE(prefixes.release(7));  // the shared page would not come free
  EXPECT_EQ(prefixes.n_entries(), 2);
  EXPECT_TRUE(prefixes.release(3));  // of the one used longest ago: the 120 tokens behind its prompt
  EXPECT_EQ(cache.n_free_pages(), 4);
  EXPECT_EQ(prefixes.n_tokens(), 100 + 64);
  EXPECT_TRUE(prefixes.release(6));
  EXPECT_EQ(prefixes.n_tokens(), 64);
  prefixes.clear();
  EXPECT_EQ(cache.n_free_pages(), 6);  // the shared one is still in use
  cache.truncate(taken, 0);
  cache.truncate(other, 0);
  EXPECT_EQ(cache.n_free_pages(), 10);
}

}  // namespace
}  // namespace minke
