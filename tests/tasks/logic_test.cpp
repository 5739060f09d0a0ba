// Logic puzzles have exactly one answer: shown by trying everything, from the facts alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "tasks/problems/people.h"
#include "tasks/problems/problems.h"

namespace minke {
namespace {

template <typename Check>
void for_each_problem(const Task& task, int64_t n, const Check& check) {
  for (int difficulty = 1; difficulty <= task.max_difficulty(); ++difficulty) {
    for (int64_t i = 0; i < n; ++i) {
      check(task.make({ProblemSplit::kTrain, 5, difficulty, i % 2 ? Tongue::kKorean : Tongue::kEnglish}, i));
    }
  }
}

std::string name_of(int64_t person, Tongue tongue) { return kPeople[static_cast<size_t>(person)].in(tongue); }

TEST(Ordering, HasOneAnswer) {
  for_each_problem(ordering(), 300, [](const Problem& problem) {
    std::vector<int64_t> order = problem.facts.at("people");
    std::sort(order.begin(), order.end());
    std::set<int64_t> answers;
    do {
      const auto place = [&](int64_t person) { return std::find(order.begin(), order.end(), person) - order.begin(); };
      bool fits = true;
      for (const auto& clue : problem.facts.at("clues")) fits &= place(clue.at(0)) < place(clue.at(1));
      if (fits) answers.insert(order[problem.facts.at("rank").get<size_t>()]);
    } while (std::next_permutation(order.begin(), order.end()));
    ASSERT_EQ(answers.size(), 1u) << problem.question;
    ASSERT_EQ(problem.facts.at("result").get<std::string>(), name_of(*answers.begin(), problem.tongue)) << problem.question;
    int n_right = 0;
    for (int64_t person : order) n_right += ordering().grade(problem, name_of(person, problem.tongue)) == 1;
    ASSERT_EQ(n_right, 1);
  });
}

TEST(KnightsAndKnaves, HasOneAnswer) {
  for_each_problem(knights_and_knaves(), 300, [](const Problem& problem) {
    const std::vector<int64_t> people = problem.facts.at("people");
    int n_worlds = 0, n_right = 0;
    for (unsigned knights = 0; knights < 1u << people.size(); ++knights) {
      const auto is_knight = [&](int64_t place) { return (knights >> place & 1) != 0; };
      bool fits = true;
      for (size_t i = 0; i < people.size(); ++i) {
        const auto& said = problem.facts.at("statements").at(i);
        const std::string kind = said.at(0);
        const int64_t a = said.at(1), b = said.at(2);
        const bool is_true = kind == "knight"  ? is_knight(a)
                             : kind == "knave" ? !is_knight(a)
                             : kind == "count" ? __builtin_popcount(knights) == a
                             : kind == "same"  ? is_knight(a) == is_knight(b)
                                               : is_knight(a) != is_knight(b);
        fits &= is_true == is_knight(static_cast<int64_t>(i));
      }
      n_worlds += fits;
      std::string names;  // in the reverse order: any will do
      for (size_t i = people.size(); i-- > 0;) {
        if (is_knight(static_cast<int64_t>(i))) names += (names.empty() ? "" : ", ") + name_of(people[i], problem.tongue);
      }
      if (names.empty()) names = problem.tongue == Tongue::kKorean ? "없음" : "none";
      const bool is_right = knights_and_knaves().grade(problem, names) == 1;
      ASSERT_EQ(is_right, fits) << names << "\n" << problem.question;
      n_right += is_right;
    }
    ASSERT_EQ(n_worlds, 1) << problem.question;
    ASSERT_EQ(n_right, 1);
  });
}

// Whether a statement [form, subject, predicate] is true of a model: a set of types, each the kinds that its things are of.
bool is_true(const nlohmann::json& statement, uint64_t model, unsigned n_types) {
  const int form = statement.at(0);
  bool has_both = false, has_subject_only = false;
  for (unsigned type = 0; type < n_types; ++type) {
    if ((model >> type & 1) == 0 || (type >> statement.at(1).get<int>() & 1) == 0) continue;
    ((type >> statement.at(2).get<int>() & 1) != 0 ? has_both : has_subject_only) = true;
  }
  return form == 0 ? !has_subject_only : form == 1 ? !has_both : form == 2 ? has_both : has_subject_only;
}

TEST(Syllogism, IsRightAboutAllSmallModels) {
  int n_valid = 0, n_all = 0;
  for_each_problem(syllogism(), 60, [&](const Problem& problem) {
    const auto& facts = problem.facts;
    const unsigned n_kinds = static_cast<unsigned>(facts.at("kinds").size()), n_types = 1u << n_kinds;
    int n_models = 0, n_exceptions = 0;
    for (uint64_t model = 0; model < uint64_t{1} << n_types; ++model) {
      bool fits = true;
      for (const auto& premise : facts.at("premises")) fits = fits && is_true(premise, model, n_types);
      if (!fits) continue;
      ++n_models;
      n_exceptions += !is_true(facts.at("conclusion"), model, n_types);
    }
    ASSERT_GT(n_models, 0) << problem.question;
    const bool is_valid = n_exceptions == 0;
    const bool is_korean = problem.tongue == Tongue::kKorean;
    ASSERT_EQ(problem.facts.at("result").get<std::string>(),
              is_valid ? (is_korean ? "예" : "yes") : (is_korean ? "아니요" : "no"))
        << problem.question;
    n_valid += is_valid;
    ++n_all;
  });
  EXPECT_NEAR(n_valid, n_all / 2, 4 * std::sqrt(n_all) / 2);  // four standard deviations of a fair coin
}

}  // namespace
}  // namespace minke
