// When drafting is switched on and off, with costs and acceptance made up: no clock is read.
#include "engine/draft_policy.h"

#include <functional>

#include "support/support.h"

namespace minke {
namespace {

// A machine on which a step of n drafts takes 1 + cost * n seconds, and a text of which draft j of a step is right or not.
struct World {
  double cost_per_draft = 0;
  std::function<bool(int64_t step, int64_t depth)> is_right;
};

struct Outcome {
  int64_t n_drafted = 0, n_drafted_steps = 0, n_tokens = 0;
  double seconds = 0;
  std::vector<int64_t> drafts;                                             // of each step
  double gain() const { return static_cast<double>(n_tokens) / seconds; }  // a plain step takes a second
};

Outcome run_policy(DraftPolicy& policy, const World& world, int64_t n_steps) {
  Outcome out;
  for (int64_t i = 0; i < n_steps; i++) {
    DraftedStep step;
    step.n_drafted = policy.n_drafts();
    while (step.n_accepted < step.n_drafted && world.is_right(i, step.n_accepted)) step.n_accepted++;
    step.has_wrong = step.n_accepted < step.n_drafted;
    step.seconds = 1 + world.cost_per_draft * static_cast<double>(step.n_drafted);
    policy.record(step);
    out.drafts.push_back(step.n_drafted);
    out.n_drafted += step.n_drafted;
    out.n_drafted_steps += step.n_drafted > 0 ? 1 : 0;
    out.n_tokens += 1 + step.n_accepted;
    out.seconds += step.seconds;
  }
  return out;
}

TEST(DraftPolicy, FirstLearnsWhatAStepCosts) {
  DraftPolicy policy(7);
  EXPECT_EQ(policy.n_drafts(), 0);
  policy.record({0, 0, false, 1.0});
  EXPECT_EQ(policy.n_drafts(), 0);
  policy.record({0, 0, false, 1.0});
  EXPECT_GT(policy.n_drafts(), 0);
}

TEST(DraftPolicy, DraftsAllItMayWhenDraftsAreCheapAndRight) {
  DraftPolicy policy(7);
  Outcome out = run_policy(policy, {0.05, [](int64_t, int64_t) { return true; }}, 200);
  EXPECT_EQ(out.drafts.back(), 7);
  // 8 tokens in 1.35 s but for the first steps and one in kRefresh.
  EXPECT_GT(out.gain(), 5.0);
  EXPECT_GE(std::count(out.drafts.begin() + 10, out.drafts.end(), 0), 2) << "a step without drafts, now and then";
}

TEST(DraftPolicy, GivesUpWhenDraftsAreWrongAndTriesAgainLessAndLess) {
  DraftPolicy policy(7);
  Outcome out = run_policy(policy, {0.2, [](int64_t, int64_t) { return false; }}, 3000);
  EXPECT_LT(out.n_drafted_steps, 60);
  EXPECT_GT(out.gain(), 0.98) << "what the trials cost";
  // The last trials lie kLongestRest apart.
  std::vector<int64_t> trials;
  for (size_t i = 1; i < out.drafts.size(); i++) {
    if (out.drafts[i] > 0 && out.drafts[i - 1] == 0) trials.push_back(static_cast<int64_t>(i));
  }
  ASSERT_GE(trials.size(), 5u);
  EXPECT_LE(trials[1] - trials[0], DraftPolicy::kFirstRest + 8);
  EXPECT_GE(trials.back() - trials[trials.size() - 2], DraftPolicy::kLongestRest);
}

TEST(DraftPolicy, GivesUpWhenDraftsCostMoreThanTheySave) {
  DraftPolicy policy(3);
  Outcome out = run_policy(policy, {1.2, [](int64_t, int64_t) { return true; }}, 3000);
  EXPECT_LT(out.n_drafted_steps, 50);
  EXPECT_GT(out.gain(), 0.98);
}

TEST(DraftPolicy, ComesBackWhenTheTextChanges) {
  DraftPolicy policy(7);
  run_policy(policy, {0.2, [](int64_t, int64_t) { return false; }}, 300);
  Outcome out = run_policy(policy, {0.2, [](int64_t, int64_t) { return true; }}, 800);
  EXPECT_GT(out.n_drafted_steps, 400);
  EXPECT_EQ(out.drafts.back(), 7);
}

TEST(DraftPolicy, ChoosesTheDepthThatPays) {
  // The first draft is right 9 times of 10, the second never: one draft gives 1.9 tokens in 1.2 s.
  DraftPolicy policy(7);
  Outcome out = run_policy(policy, {0.2, [](int64_t step, int64_t depth) { return depth == 0 && step % 10 != 0; }}, 400);
  EXPECT_GT(std::count(out.drafts.begin(), out.drafts.end(), 1), 300);
  EXPECT_GT(out.gain(), 1.4);
}

TEST(DraftPolicy, OneInterruptedStepDecidesNothing) {
  DraftPolicy policy(7);
  World world{0.1, [](int64_t, int64_t) { return true; }};
  run_policy(policy, world, 50);
  policy.record({7, 7, false, 100.0});
  EXPECT_EQ(policy.n_drafts(), 7);
}

TEST(DraftPolicy, ExpectedGainIsTheFormula) {
  DraftPolicy policy(2);
  for (int i = 0; i < 2; i++) policy.record({0, 0, false, 2.0});
  policy.record({2, 1, true, 3.0});  // s = 0.5; p_1 = 1; p_2 = 1/2: one of two, the first one assumed
  EXPECT_DOUBLE_EQ(policy.expected_gain(0), 1.0);
  EXPECT_DOUBLE_EQ(policy.expected_gain(1), 2.0 * 2.0 / 2.5);
  EXPECT_DOUBLE_EQ(policy.expected_gain(2), (2.0 + 0.5) * 2.0 / 3.0);
}

}  // namespace
}  // namespace minke
