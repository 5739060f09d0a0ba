// What every procedural task promises, over thousands of problems of each difficulty and language.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "equations.h"
#include "tasks/procedural_task.h"

namespace minke {
namespace {

constexpr int64_t kProblems = 1000;  // of each task, split, difficulty and language
constexpr ProblemSplit kSplits[] = {ProblemSplit::kTrain, ProblemSplit::kEval};
constexpr Tongue kTongues[] = {Tongue::kEnglish, Tongue::kKorean};

std::string whole(const Problem& problem) {
  return problem.id + "\n" + problem.question + "\n" + problem.thought + "\n" + problem.answer + "\n" + problem.facts.dump();
}

class EveryTask : public testing::TestWithParam<const Task*> {
 protected:
  // Calls check(problem) for `n` problems of each split, difficulty and language.
  template <typename Check>
  void for_each_problem(uint64_t seed, int64_t n, const Check& check) {
    for (ProblemSplit split : kSplits) {
      for (int difficulty = 1; difficulty <= GetParam()->max_difficulty(); ++difficulty) {
        for (Tongue tongue : kTongues) {
          for (int64_t i = 0; i < n; ++i) check(GetParam()->make({split, seed, difficulty, tongue}, i));
        }
      }
    }
  }
};

TEST_P(EveryTask, GradesItsAnswerOneAndEchoesZero) {
  const Task& task = *GetParam();
  for_each_problem(11, kProblems, [&](const Problem& problem) {
    ASSERT_EQ(task.grade(problem, problem.answer), 1) << whole(problem);
    const std::string result = problem.facts.at("result");
    ASSERT_EQ(task.grade(problem, result), 1) << whole(problem);
    ASSERT_EQ(task.grade(problem, "\\boxed{" + result + "}"), 1) << whole(problem);
    for (const std::string& hack :
         {std::string(), problem.question, problem.question + problem.question, "Answer: " + problem.question,
          "\\boxed{" + problem.question + "}", problem.answer + "\nAnswer:", result + " " + result, result + ", " + result,
          "not " + result, result + " or not"}) {
      ASSERT_EQ(task.grade(problem, hack), 0) << hack << "\n" << whole(problem);
    }
  });
}

TEST_P(EveryTask, RefusesBlanketAnswers) {
  const Task& task = *GetParam();
  for_each_problem(12, 100, [&](const Problem& problem) {
    for (const char* hack : {" ",
                             "\n",
                             "Answer:",
                             "답:",
                             "\\boxed{}",
                             "Answer: number",
                             "Answer: expression",
                             "Answer: p/q",
                             "답: 식",
                             "답: 수",
                             "yes or no",
                             "yes, no",
                             "Answer: yes/no",
                             "예, 아니요",
                             "?",
                             "*",
                             "true",
                             "0 or 1",
                             "0, 1, 2, 3",
                             "any",
                             "unknown",
                             "-",
                             "=",
                             "()",
                             "nan",
                             "inf",
                             "1e309",
                             "result",
                             "null",
                             "{}",
                             "Answer: the answer"}) {
      ASSERT_EQ(task.grade(problem, hack), 0) << hack << "\n" << whole(problem);
    }
  });
}

TEST_P(EveryTask, SurvivesAnyBytes) {
  const Task& task = *GetParam();
  constexpr std::string_view kLikely = "0123456789+-*/()=xy ,.:\\{}\n";
  Draws draws(13);
  for_each_problem(13, 20, [&](const Problem& problem) {
    std::string bytes;
    const int64_t n = draws.between(0, 400);
    const bool is_likely = draws.one_in(2);
    for (int64_t i = 0; i < n; ++i) bytes += is_likely ? draws.pick(kLikely) : static_cast<char>(draws.below(256));
    for (const std::string& content : {bytes, "Answer: " + bytes, "\\boxed{" + bytes, "\\boxed{" + bytes + "}"}) {
      const double grade = task.grade(problem, content);
      ASSERT_TRUE(grade == 0 || grade == 1);
    }
    ASSERT_EQ(task.grade(problem, problem.answer + "\xff"), 0);
  });
}

TEST_P(EveryTask, ThinksOnlyTrueEquations) {
  int64_t n_equations = 0;
  for_each_problem(14, kProblems / 2, [&](const Problem& problem) {
    ASSERT_NE(problem.thought, "");
    for (const std::string& equation : equations_in(problem.thought)) {
      ASSERT_TRUE(holds(equation)) << equation << "\n" << whole(problem);
      ++n_equations;
    }
  });
  const bool is_logic = std::set<std::string_view>{"ordering", "knights_and_knaves", "syllogism"}.contains(GetParam()->name());
  EXPECT_EQ(n_equations == 0, is_logic);
}

TEST_P(EveryTask, IsAFunctionOfItsSeed) {
  std::set<std::string> ids;
  int64_t n = 0;
  for_each_problem(15, 50, [&](const Problem& problem) {
    ids.insert(problem.id);
    ++n;
  });
  EXPECT_EQ(static_cast<int64_t>(ids.size()), n);
  const int hardest = GetParam()->max_difficulty();
  const Problems of{ProblemSplit::kTrain, 15, hardest, Tongue::kEnglish};
  EXPECT_EQ(whole(GetParam()->make(of, 3)), whole(GetParam()->make(of, 3)));
  // Neighbouring seeds share no more than chance gives: were they added to the index, all but one.
  std::set<std::string> questions;
  for (int64_t i = 0; i < 200; ++i) questions.insert(GetParam()->make(of, i).question);
  int64_t n_shared = 0;
  for (int64_t i = 0; i < 200; ++i)
    n_shared += questions.contains(GetParam()->make({ProblemSplit::kTrain, 16, hardest, Tongue::kEnglish}, i).question);
  EXPECT_LT(n_shared, 50);
  EXPECT_GT(questions.size(), 150u);
}

// Content as this test sees it: all facts, in a fixed order where order does not matter.
std::string content_of(const Problem& problem) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : problem.facts.items()) {
    if (key == "result" || key == "is_reverse" || key == "attribute") continue;
    nlohmann::json sorted = value;
    const bool is_commutative = problem.task == "countdown" || problem.facts.value("kind", "") == "sort" || key == "premises" ||
                                (problem.task == "ordering" && key == "clues");
    if (problem.task == "ordering" && key == "clues") {
      for (auto& clue : sorted) clue.erase(2);
    }
    if (is_commutative && sorted.is_array()) std::sort(sorted.begin(), sorted.end());
    parts.push_back(sorted.dump());
  }
  if (problem.task == "multiplication" || problem.facts.value("operator", "") == "+") std::sort(parts.begin(), parts.end());
  std::string out;
  for (const std::string& part : parts) out += part + ";";
  return out;
}

TEST_P(EveryTask, HasDisjointSplits) {
  std::map<ProblemSplit, std::set<std::string>> questions, contents;
  for (ProblemSplit split : kSplits) {
    for (uint64_t seed : {1, 2}) {
      for (int difficulty = 1; difficulty <= GetParam()->max_difficulty(); ++difficulty) {
        for (int64_t i = 0; i < kProblems; ++i) {
          const Tongue tongue = kTongues[i % 2];
          const Problem problem = GetParam()->make({split, seed, difficulty, tongue}, i);
          questions[split].insert(problem.question);
          contents[split].insert(content_of(problem));
        }
      }
    }
  }
  for (auto* texts : {&questions, &contents}) {
    EXPECT_GE((*texts)[ProblemSplit::kEval].size(), 20u);
    for (const std::string& text : (*texts)[ProblemSplit::kEval]) ASSERT_FALSE((*texts)[ProblemSplit::kTrain].contains(text)) << text;
  }
}

TEST_P(EveryTask, AsksAndThinksInTheLanguageAskedFor) {
  for_each_problem(17, 50, [](const Problem& problem) {
    const bool is_korean = problem.tongue == Tongue::kKorean;
    ASSERT_EQ(problem.question.find("답:") != std::string::npos, is_korean) << problem.question;
    ASSERT_EQ(problem.question.find("Answer:") != std::string::npos, !is_korean) << problem.question;
    // All bytes of Hangul, and of no English word, have the high bit.
    const auto has_high_bit = [](char c) { return static_cast<unsigned char>(c) >= 0x80; };
    ASSERT_EQ(std::any_of(problem.thought.begin(), problem.thought.end(), has_high_bit), is_korean) << problem.thought;
  });
}

// A change of any problem changes its hash: recorded results stop being comparable, so it must be meant.
TEST_P(EveryTask, MakesTheSameProblemsAsEver) {
  static const std::map<std::string_view, uint64_t> kGoldens = {
      {"arithmetic_addition", 0x815b8c13e612f24d},
      {"chain", 0xa7d482e34bfcc6cd},
      {"countdown", 0xd61dedf7a0e0dd5b},
      {"expression_synthesis", 0xb162bef037b27f6a},
      {"fractions", 0x3d2678f0ebdebe12},
      {"knights_and_knaves", 0x8f9549ca13a882c1},
      {"multiplication", 0x7beb07ba79214b2b},
      {"number_sense", 0x74b5c064ddede643},
      {"ordering", 0x50a608b13f17d7d0},
      {"program_output", 0x6d21399d5581846e},
      {"syllogism", 0xaf6c52610e89cd2d},
  };
  uint64_t hash = 0;
  for_each_problem(18, 50, [&](const Problem& problem) { hash = mix_seed(hash, hash_text(whole(problem))); });
  ASSERT_TRUE(kGoldens.contains(GetParam()->name()));
  EXPECT_EQ(hash, kGoldens.at(GetParam()->name())) << fmt::format("{{\"{}\", {:#x}}},", GetParam()->name(), hash);
}

INSTANTIATE_TEST_SUITE_P(Tasks, EveryTask, testing::ValuesIn(all_tasks().begin(), all_tasks().end()),
                         [](const auto& of) { return std::string(of.param->name()); });

}  // namespace
}  // namespace minke
