// Who goes when: clients in turn, bounded queues, nobody waits for ever, long prompts beside short ones.
#include <algorithm>

#include "engine/engine.h"
#include "engine_fixture.h"

namespace minke {
namespace {

using namespace testing;

// Requests in the order of their first tokens.
std::vector<int64_t> order_of(Engine& engine) {
  std::vector<int64_t> order;
  run(engine, [&](const EngineToken& token) {
    if (std::find(order.begin(), order.end(), token.request) == order.end()) order.push_back(token.request);
    return true;
  });
  return order;
}

TEST(EngineQueue, OneRequestDoesNotStandBehindFifty) {
  EngineFixture f;
  std::unique_ptr<Engine> engine = f.engine({.max_running = 4});
  for (uint64_t i = 0; i < 50; i++) {
    EngineRequest r = request({1, 2, 3}, 3 + static_cast<int64_t>(i % 5), i);
    r.client = "1";
    value_of(engine->submit(std::move(r)));
  }
  EngineRequest other = request({1, 2, 3}, 3, 99);
  other.client = "2";
  value_of(engine->submit(std::move(other)));
  const std::vector<int64_t> order = order_of(*engine);
  ASSERT_EQ(order.size(), 51u);
  // The first client's first goes first, then whoever has less under way.
  EXPECT_EQ(order[0], 0);
  EXPECT_EQ(std::find(order.begin(), order.end(), 50) - order.begin(), 1);
}

// Clients take turns also when both have many.
TEST(EngineQueue, ClientsShareTheRunningPlaces) {
  EngineFixture f;
  std::unique_ptr<Engine> engine = f.engine({.max_running = 6});
  for (uint64_t i = 0; i < 60; i++) {
    EngineRequest r = request({1, 2, 3}, 20, i);
    r.client = i < 40 ? "1" : i < 50 ? "2" : "3";
    value_of(engine->submit(std::move(r)));
  }
  Answers answers;
  take_step(*engine, answers);
  std::map<int64_t, int> n_of;
  for (const auto& [place, answer] : answers) n_of[place.first < 40 ? 1 : place.first < 50 ? 2 : 3]++;
  EXPECT_EQ(n_of, (std::map<int64_t, int>{{1, 2}, {2, 2}, {3, 2}}));
}

TEST(EngineQueue, WhoNeedsTheWholeCacheIsNotOvertakenForEver) {
  EngineFixture f;
  std::unique_ptr<Engine> engine = f.engine({.cache_tokens = 256, .prefix_tokens = 256});
  Answers answers;
  uint64_t n_submitted = 0;
  const auto submit_small = [&] {
    EngineRequest r = request(some_tokens(20, static_cast<int64_t>(n_submitted)), 8, n_submitted);
    r.client = std::to_string(n_submitted++);  // always somebody new
    return value_of(engine->submit(std::move(r)));
  };
  for (int i = 0; i < 5; i++) submit_small();
  const int64_t large = value_of(engine->submit(request(some_tokens(240, 7), 16, 1)));
  int n_steps = 0;
  while (!answers[{large, 0}].finish) {
    ASSERT_LT(++n_steps, 300);
    submit_small();
    take_step(*engine, answers);
  }
  EXPECT_EQ(answers.at({large, 0}).tokens.size(), 16u);
}

// Room is made by the client that takes most of it: the other's token comes with every step.
TEST(EngineQueue, WhoHasOneDoesNotMakeRoomForWhoHasMany) {
  EngineFixture f;
  std::unique_ptr<Engine> engine = f.engine({.cache_tokens = 512});
  Answers answers;
  for (uint64_t i = 0; i < 4; i++) {
    EngineRequest r = request({1, 2, 3}, 200, i);
    r.client = i == 3 ? "2" : "1";
    value_of(engine->submit(std::move(r)));
  }
  for (int i = 0; i < 200; i++) {
    take_step(*engine, answers);
    ASSERT_EQ(answers.at({3, 0}).tokens.size(), static_cast<size_t>(1 + i));
  }
  EXPECT_GT(engine->n_preempted(), 0);
  EXPECT_TRUE(answers.at({3, 0}).finish);
}

// Half of a step's prompt tokens are the first one's, the others are read from the shortest on; who speaks goes on speaking.
TEST(EngineQueue, AShortPromptDoesNotWaitForALongOne) {
  EngineFixture f("qwen3");
  std::unique_ptr<Engine> engine = f.engine({.prefill_tokens = 16});
  Answers answers;
  const int64_t speaks = value_of(engine->submit(request({1, 2, 3}, 60, 1)));
  take_step(*engine, answers);
  const int64_t first = value_of(engine->submit(request(some_tokens(400, 1), 4, 2)));
  const int64_t second = value_of(engine->submit(request(some_tokens(300, 2), 4, 3)));
  const int64_t brief = value_of(engine->submit(request(some_tokens(8, 3), 4, 4)));
  for (int i = 0; i < 26; i++) {
    take_step(*engine, answers);
    EXPECT_EQ(answers.at({speaks, 0}).tokens.size(), static_cast<size_t>(2 + i));
  }
  EXPECT_EQ(answers.at({brief, 0}).tokens.size(), 4u);
  EXPECT_FALSE(answers.contains({first, 0}));
  EXPECT_FALSE(answers.contains({second, 0}));
  // 400 tokens at 8 a step at least.
  for (int i = 26; i < 50; i++) take_step(*engine, answers);
  EXPECT_TRUE(answers.contains({first, 0}));
  for (const auto& [place, answer] : run(*engine)) answers[place] = answer;
  EXPECT_EQ(answers.at({second, 0}).tokens.size(), 4u);
}

// Three are read at once, the last one is read first: every one gets its own row of logits.
TEST(EngineQueue, PromptsThatEndInAnyOrderGetTheirOwnLogits) {
  EngineFixture f;
  std::vector<EngineRequest> requests;
  for (int64_t i = 0; i < 5; i++) requests.push_back(request(some_tokens(90 - 17 * i, i), 6, static_cast<uint64_t>(i)));
  std::unique_ptr<Engine> engine = f.engine({.prefill_tokens = 20});
  for (const EngineRequest& r : requests) value_of(engine->submit(r));
  const Answers together = run(*engine);
  for (int64_t i = 0; i < 5; i++) {
    EXPECT_TRUE(run_one(*f.engine({}), requests[static_cast<size_t>(i)]) == together.at({i, 0})) << i;
  }
}

}  // namespace
}  // namespace minke
