// Countdown: what the grader takes and refuses, and how complete and how short the search is.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tasks/expression.h"
#include "tasks/problems/countdown_search.h"
#include "tasks/problems/problems.h"
#include "tasks/random.h"
#include "tasks/recognise.h"

namespace minke {
namespace {

double grade(const std::vector<int64_t>& numbers, int64_t target, std::string_view content) {
  const auto problem = countdown_problem("test", numbers, target, Tongue::kEnglish);
  return countdown().grade(problem.value(), content);
}

TEST(CountdownGrade, TakesEveryForm) {
  for (const char* content : {"25+3",
                              "Answer: 25+3",
                              "답: 3 + 25",
                              "Answer: (25+3)",
                              "25+3=28",
                              "25 + 3 = 28",
                              "\\boxed{25+3}",
                              "7*(25-21)=28",
                              "I tried 25-3.\nAnswer: 21+7",
                              "(25*7-7*1)/6=28",
                              "**Answer:** 25+3",
                              "**Answer: 25+3**",
                              "Answer: `25+3`",
                              "Answer: 25+3.",
                              "Answer: $7 \\times (25-21)$",
                              "7×(25−21)",
                              "\\boxed{7 \\cdot \\left(25-21\\right)}",
                              "(25·7−7)÷6",
                              "２５＋３",
                              "\\(25+3=28\\)"}) {
    EXPECT_EQ(grade({3, 25, 7, 21, 7, 1, 6}, 28, content), 1) << content;
  }
  EXPECT_EQ(grade({28, 3}, 28, "28"), 1);              // a given number may be the target
  EXPECT_EQ(grade({3, 8, 3, 8}, 24, "8/(3-8/3)"), 1);  // fractions on the way
}

TEST(CountdownGrade, RefusesHacks) {
  const char* hacks[] = {"",
                         "28",
                         "Answer: 28",
                         "28=28",
                         "28 = 25+3",
                         "25+3=25+3",
                         "25+3=28=28",
                         "25+3=29",
                         "25+3=",
                         "=28",
                         "25+3=28.0",
                         "25+3=028",
                         "25+3 = 28 25+3",
                         "25+3, 25+3",
                         "25+3; 7",
                         "25+3 or 7*4",
                         "25+3\n25+3",
                         "3+25+7-7",  // 7 twice
                         "7*4",       // 4 is not given
                         "25+3+0",    // nor is 0
                         "25+3*1",    // nor is 1
                         "25+3+7*0",
                         "2 5+3",  // digits apart
                         "37-9",   // 3 and 7 written together
                         "7^2-21",
                         "7**2-21",
                         "-(-25-3)",
                         "25--3",
                         "+25+3",
                         "25+ +3",
                         "25+3!",
                         "25+(3",
                         "25+3)",
                         "25/0+3",
                         "(25+3)/(7-7)",
                         "٢٥+3",
                         "25.0+3",
                         "**25+3",
                         "\\frac{25+3}{1}",
                         "\\text{25+3} or so",
                         "025+3",
                         "2.5e1+3",
                         "0x19+3",
                         "\xff\xfe",
                         "28 #25+3",
                         "x",
                         "eval(25+3)",
                         "Answer: 25+3 Answer:",
                         "\\boxed{}",
                         "Answer: 25+3\nAnswer: 28"};
  for (const char* hack : hacks) EXPECT_EQ(grade({3, 25, 7}, 28, hack), 0) << hack;
  EXPECT_EQ(grade({3, 25, 7}, 28, std::string("25+3\0", 5)), 0);
  std::string huge = "25+3";
  for (int i = 0; i < 100'000; ++i) huge = "(" + std::move(huge);
  EXPECT_EQ(grade({3, 25, 7}, 28, huge + std::string(100'000, ')')), 0);
  EXPECT_EQ(grade({3, 25, 7}, 28, std::string(1'000'000, '9')), 0);
  EXPECT_EQ(grade({999'999, 999'998, 999'997, 999'996}, 5, "999999*999998*999997*999996"), 0);
}

TEST(CountdownProblem, RefusesWhatIsNoPuzzle) {
  EXPECT_FALSE(countdown_problem("rows.jsonl:1", {5}, 5, Tongue::kEnglish).has_value());
  EXPECT_FALSE(countdown_problem("rows.jsonl:1", std::vector<int64_t>(9, 1), 5, Tongue::kEnglish).has_value());
  EXPECT_FALSE(countdown_problem("rows.jsonl:1", {0, 5}, 5, Tongue::kEnglish).has_value());
  EXPECT_FALSE(countdown_problem("rows.jsonl:1", {1, int64_t{1} << 40}, 5, Tongue::kEnglish).has_value());
  const auto problem = countdown_problem("rows.jsonl:1", {1, 5}, -1, Tongue::kEnglish);
  ASSERT_FALSE(problem.has_value());
  EXPECT_EQ(problem.error().message, "rows.jsonl:1: target: expected 1..1000000, got -1");
}

// Every value that the numbers can make with steps of countdown_steps(): another search, without order or needs.
void reach(const std::vector<int64_t>& values, std::map<int64_t, int>& reached) {
  for (size_t i = 0; i < values.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      for (const CountdownStep& step : countdown_steps(std::max(values[i], values[j]), std::min(values[i], values[j]))) {
        ++reached[step.value];
        std::vector<int64_t> rest{step.value};
        for (size_t k = 0; k < values.size(); ++k) {
          if (k != i && k != j) rest.push_back(values[k]);
        }
        reach(rest, reached);
      }
    }
  }
}

TEST(CountdownSearch, FindsASolutionExactlyWhenThereIsOne) {
  Draws draws(1);
  for (int i = 0; i < 60; ++i) {
    const size_t n = i < 50 ? 3 : 4;
    std::vector<int64_t> numbers;
    while (numbers.size() < n) numbers.push_back(draws.between(1, 25));
    std::map<int64_t, int> reached;
    reach(numbers, reached);
    for (int64_t target = 1; target <= 100; ++target) {
      if (std::find(numbers.begin(), numbers.end(), target) != numbers.end()) continue;
      const CountdownSearch found = search_countdown(numbers, target, 0);
      ASSERT_EQ(found.expression.has_value(), reached.contains(target)) << target << "\n" << found.trace;
      if (!found.expression) continue;
      ASSERT_EQ(grade(numbers, target, *found.expression), 1) << *found.expression;
    }
  }
}

TEST(CountdownSearch, IsShort) {
  const size_t limits[] = {45, 240, 460, 460};  // longest trace by difficulty, in characters
  const size_t means[] = {30, 120, 180, 180};
  for (int difficulty = 1; difficulty <= countdown().max_difficulty(); ++difficulty) {
    size_t longest = 0, sum = 0;
    constexpr int64_t kProblems = 500;
    for (int64_t i = 0; i < kProblems; ++i) {
      const Problem problem = countdown().make({ProblemSplit::kTrain, 3, difficulty, Tongue::kEnglish}, i);
      const size_t length = problem.thought.size() - problem.thought.find('\n');
      longest = std::max(longest, length);
      sum += length;
    }
    EXPECT_LE(longest, limits[difficulty - 1]) << difficulty;
    EXPECT_LE(sum / kProblems, means[difficulty - 1]) << difficulty;
  }
}

TEST(CountdownSearch, ShowsAFalseStartThatEndsWithoutTheTarget) {
  const CountdownSearch straight = search_countdown({22, 10, 18, 6}, 36, 0),
                        wandering = search_countdown({22, 10, 18, 6}, 36, 1);
  ASSERT_TRUE(straight.expression && wandering.expression);
  EXPECT_EQ(*straight.expression, *wandering.expression);
  EXPECT_GT(wandering.trace.size(), straight.trace.size());
  EXPECT_TRUE(wandering.trace.ends_with(straight.trace));
}

TEST(CountdownRecognition, KnowsEveryQuestionOfTheTask) {
  for (const Tongue tongue : {Tongue::kEnglish, Tongue::kKorean}) {
    for (int difficulty = 1; difficulty <= countdown().max_difficulty(); ++difficulty) {
      for (int64_t i = 0; i < 40; ++i) {  // each of four ways to ask, many times
        const Problem problem = countdown().make({ProblemSplit::kEval, 5, difficulty, tongue}, i);
        const auto known = recognise_countdown(problem.question);
        ASSERT_TRUE(known) << problem.question;
        EXPECT_EQ(known->facts["numbers"], problem.facts["numbers"]) << problem.question;
        EXPECT_EQ(known->facts["target"], problem.facts["target"]) << problem.question;
        EXPECT_EQ(known->tongue, tongue);
        EXPECT_EQ(countdown().grade(*known, problem.answer), 1) << problem.answer;
      }
    }
  }
}

TEST(CountdownRecognition, LeavesOtherQuestionsAlone) {
  const char* question =
      "Use 3, 8, 21 to make 45. Each number at most once, with + - * / and parentheses. Reply as 'Answer: expression'.";
  EXPECT_TRUE(recognise_countdown(question));
  EXPECT_FALSE(recognise_countdown(std::string(question) + " And 3, 4, 5 to make 6."));
  EXPECT_FALSE(recognise_countdown("What is 3 + 8 + 21 - 45?"));
  EXPECT_FALSE(recognise_countdown("Use 99999999999999999999999, 3 to make 5."));
  EXPECT_FALSE(recognise_countdown(""));
}

}  // namespace
}  // namespace minke
