// Intervals and estimators against published values, closed forms and simulation.
#include "eval/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/rng.h"
#include "eval/evaluation.h"

namespace minke {
namespace {

TEST(Wilson, IsThatOfTheTextbooks) {
  // Newcombe, Statistics in Medicine 17 (1998), table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
  const std::vector<std::array<double, 4>> rows = {
      {81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0, 0.1611}, {1, 29, 0.0061, 0.1718}};
  for (const auto& [n_right, n, low, high] : rows) {
    const Interval interval = wilson_interval(n_right, n);
    EXPECT_NEAR(interval.low, low, 5e-5) << n_right << " of " << n;
    EXPECT_NEAR(interval.high, high, 5e-5) << n_right << " of " << n;
  }
}

TEST(PassAtK, IsTheMeanOverDraws) {
  EXPECT_EQ(pass_at_k(10, 0, 5), 0);
  EXPECT_EQ(pass_at_k(10, 6, 5), 1);  // five wrong ones do not exist
  EXPECT_DOUBLE_EQ(pass_at_k(10, 3, 1), 0.3);
  EXPECT_NEAR(pass_at_k(5, 2, 2), 0.7, 1e-15);  // 1 - 3 / 10
  // Draws of 4 of 12 answers of which 3 are right, without replacement.
  const int n_draws = 200'000;
  int n_hits = 0;
  for (int draw = 0; draw < n_draws; draw++) {
    std::vector<int> answers = {1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    bool hit = false;
    for (size_t i = 0; i < 4; i++) {
      const uint64_t random = mix_seed(static_cast<uint64_t>(draw), i);
      std::swap(answers[i], answers[i + random % (12 - i)]);
      hit |= answers[i] == 1;
    }
    n_hits += hit ? 1 : 0;
  }
  const double expected = pass_at_k(12, 3, 4), error = std::sqrt(expected * (1 - expected) / n_draws);
  EXPECT_NEAR(static_cast<double>(n_hits) / n_draws, expected, 5 * error);
}

TEST(McNemar, IsTheBinomialTest) {
  EXPECT_EQ(mcnemar_p(0, 0), 1);
  EXPECT_EQ(mcnemar_p(4, 4), 1);
  EXPECT_NEAR(mcnemar_p(0, 5), 2.0 / 32, 1e-12);
  EXPECT_NEAR(mcnemar_p(1, 9), 2.0 * (1 + 10) / 1024, 1e-12);
  EXPECT_NEAR(mcnemar_p(9, 1), mcnemar_p(1, 9), 0);
}

EvalResult result(const std::string& group, const std::string& id, const std::vector<double>& grades) {
  EvalResult out{group, {}, {}};
  out.problem.id = id;
  for (double grade : grades) out.answers.push_back({"", grade, 10, grade == 1});
  return out;
}

TEST(Summary, GroupsAndAll) {
  const std::vector<EvalResult> results = {result("a", "1", {1, 0}), result("b", "2", {0, 0}), result("a", "3", {1, 1})};
  const std::vector<EvalSummary> summaries = summarise(results);
  ASSERT_EQ(summaries.size(), 3u);
  EXPECT_EQ(summaries[0].group, "a");
  EXPECT_DOUBLE_EQ(summaries[0].accuracy, 0.75);
  EXPECT_DOUBLE_EQ(summaries[0].pass_at_n, 1);
  EXPECT_DOUBLE_EQ(summaries[0].cut, 0.25);
  EXPECT_EQ(summaries[2].group, "");
  EXPECT_DOUBLE_EQ(summaries[2].accuracy, 0.5);
  EXPECT_EQ(summaries[2].n_problems, 3);
  EXPECT_EQ(summarise(std::vector<EvalResult>{results[0]}).size(), 1u);
}

TEST(Summary, PairsAreComparedProblemByProblem) {
  const std::vector<EvalResult> first = {result("a", "1", {1}), result("a", "2", {0}), result("a", "3", {1})};
  const std::vector<EvalResult> second = {result("a", "1", {1}), result("a", "2", {1}), result("a", "3", {0})};
  const PairedComparison paired = compare_paired(first, second);
  EXPECT_EQ(paired.only_first, 1);
  EXPECT_EQ(paired.only_second, 1);
  EXPECT_EQ(paired.p, 1);
}

}  // namespace
}  // namespace minke
