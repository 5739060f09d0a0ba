// The engine knows where a thought is, and closes it when the answer is wanted now.
#include <algorithm>

#include "engine/engine.h"
#include "engine_fixture.h"

namespace minke {
namespace {

using namespace testing;

constexpr TokenId kOpen = 60, kClose = 7;

TEST(EngineThought, SaysWhatIsThought) {
  EngineFixture f;
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

// Never draws what would open or close a thought.
class NeverCloses : public TokenGuide {
 public:
  explicit NeverCloses(int64_t n_tokens) : allowed_(static_cast<size_t>((n_tokens + 63) / 64), ~uint64_t{0}) {
    for (TokenId token : {kOpen, kClose}) allowed_[static_cast<size_t>(token / 64)] &= ~(uint64_t{1} << token % 64);
  }
  Rule next(std::span<const float>) override { return {-1, allowed_}; }
  void accept(TokenId) override {}

 private:
  std::vector<uint64_t> allowed_;
};

EngineRequest thinking(const EngineFixture& f, int n_samples = 1) {
  EngineRequest r = request({1, kOpen, 3}, 20, 1, n_samples);
  r.thought = {kOpen, kClose};
  r.guide = [&](int) { return std::make_unique<NeverCloses>(f.model->config().vocab_size); };
  return r;
}

int64_t n_closings(const Answer& answer) { return std::count(answer.tokens.begin(), answer.tokens.end(), kClose); }

TEST(EngineThought, EndsWithTheNextTokenWhenAsked) {
  EngineFixture f;
  std::unique_ptr<Engine> engine = f.engine({});
  const int64_t id = value_of(engine->submit(thinking(f, 2)));
  const int64_t other = value_of(engine->submit(thinking(f)));
  Answers answers;
  for (int i = 0; i < 5; i++) take_step(*engine, answers);
  EXPECT_TRUE(engine->end_thought(id));
  while (!engine->is_idle()) take_step(*engine, answers);
  for (int i = 0; i < 2; i++) {
    EXPECT_EQ(answers.at({id, i}).tokens[5], kClose);
    EXPECT_EQ(n_closings(answers.at({id, i})), 1);
  }
  EXPECT_EQ(n_closings(answers.at({other, 0})), 0);
  EXPECT_FALSE(engine->end_thought(other));  // finished
  EXPECT_FALSE(engine->end_thought(1234));
}

TEST(EngineThought, EndsAtOnceWhenItWasAskedBeforeItBegan) {
  EngineFixture f;
  std::unique_ptr<Engine> engine = f.engine({.max_running = 2});
  value_of(engine->submit(request({1, 2}, 5, 1, 2)));
  const int64_t id = value_of(engine->submit(thinking(f)));
  Answers answers;
  take_step(*engine, answers);
  EXPECT_TRUE(engine->end_thought(id));
  EXPECT_EQ(run(*engine).at({id, 0}).tokens[0], kClose);
}

// Asked for by one who sees a token, of all, also of those that made room for others while they thought.
TEST(EngineThought, EndsAlsoInOneThatMadeRoom) {
  EngineFixture f;
  std::unique_ptr<Engine> engine = f.engine({.cache_tokens = 512});
  for (int i = 0; i < 7; i++) {
    EngineRequest r = thinking(f);
    r.max_new_tokens = 200;
    value_of(engine->submit(std::move(r)));
  }
  Answers answers;
  while (engine->n_preempted() == 0) take_step(*engine, answers);
  std::map<int64_t, size_t> n_said;
  take_step(*engine, answers, [&](const EngineToken&) {
    for (int64_t id = 0; id < 7; id++) EXPECT_TRUE(engine->end_thought(id));
    return true;
  });
  for (int64_t id = 0; id < 7; id++) n_said[id] = answers[{id, 0}].tokens.size();
  EXPECT_GT(engine->n_waiting(), 0);
  while (!engine->is_idle()) take_step(*engine, answers);
  for (const auto& [place, answer] : answers) {
    ASSERT_EQ(answer.tokens.size(), 200u);
    EXPECT_EQ(answer.tokens[n_said[place.first]], kClose) << place.first;
    EXPECT_EQ(n_closings(answer), 1) << place.first;
  }
}

// A guide that ends thoughts in its own way is told, and the engine writes nothing.
TEST(EngineThought, AGuideMayEndItInItsWay) {
  class SaysFarewell : public TokenGuide {
   public:
    Rule next(std::span<const float>) override { return {n_left_ < 0 ? -1 : n_left_ > 0 ? 42 : kClose, {}}; }
    void accept(TokenId) override {
      if (n_left_ >= 0) n_left_--;
    }
    bool end_thought() override {
      n_left_ = 2;
      return true;
    }

   private:
    int n_left_ = -1;
  };
  EngineFixture f;
  std::unique_ptr<Engine> engine = f.engine({});
  EngineRequest r = thinking(f);
  r.guide = [](int) { return std::make_unique<SaysFarewell>(); };
  const int64_t id = value_of(engine->submit(std::move(r)));
  EXPECT_TRUE(engine->end_thought(id));
  const std::vector<TokenId> tokens = run(*engine).at({id, 0}).tokens;
  EXPECT_EQ((std::vector<TokenId>(tokens.begin(), tokens.begin() + 3)), (std::vector<TokenId>{42, 42, kClose}));
}

}  // namespace
}  // namespace minke
