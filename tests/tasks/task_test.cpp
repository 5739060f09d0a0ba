// The registry and final_answer().
#include "tasks/task.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace minke {
namespace {

TEST(Tasks, HaveDifferentNamesInOrder) {
  const auto by_name = [](const Task* a, const Task* b) { return a->name() < b->name(); };
  EXPECT_TRUE(std::is_sorted(all_tasks().begin(), all_tasks().end(), by_name));
  for (size_t i = 1; i < all_tasks().size(); ++i) EXPECT_NE(all_tasks()[i - 1]->name(), all_tasks()[i]->name());
  for (const Task* task : all_tasks()) {
    ASSERT_TRUE(find_task(task->name()).has_value());
    EXPECT_EQ(*find_task(task->name()), task);
    for (int difficulty = 1; difficulty <= task->max_difficulty(); ++difficulty) EXPECT_NE(task->describe(difficulty), "");
  }
}

TEST(Tasks, AnUnknownNameListsTheKnownOnes) {
  const auto task = find_task("sudoku");
  ASSERT_FALSE(task.has_value());
  EXPECT_NE(task.error().message.find("\"sudoku\""), std::string::npos);
  for (const Task* known : all_tasks()) EXPECT_NE(task.error().message.find(known->name()), std::string::npos);
}

TEST(FinalAnswer, ReadsTheLastMark) {
  EXPECT_EQ(final_answer("42"), "42");
  EXPECT_EQ(final_answer("  42\n"), "42");
  EXPECT_EQ(final_answer("Answer: 42"), "42");
  EXPECT_EQ(final_answer("답: 42"), "42");
  EXPECT_EQ(final_answer("정답: 42"), "42");
  EXPECT_EQ(final_answer("Answer: 1\nAnswer: 2\nso be it"), "2");
  EXPECT_EQ(final_answer("답: 1\nAnswer: 2"), "2");
  EXPECT_EQ(final_answer("Answer: 1\n답: 2"), "2");
  EXPECT_EQ(final_answer("Answer: 1\r\n"), "1");
  EXPECT_EQ(final_answer("Answer:"), "");
  EXPECT_EQ(final_answer("**Answer:** 42"), "42");
  EXPECT_EQ(final_answer("**Answer: 42**"), "42");
  EXPECT_EQ(final_answer("__답: 42__"), "42");
  EXPECT_EQ(final_answer("Answer: `42`"), "42");
  EXPECT_EQ(final_answer("Answer: **"), "");
  EXPECT_EQ(final_answer("answer: 42"), "answer: 42");
  EXPECT_EQ(final_answer(""), "");
  EXPECT_EQ(final_answer(" \t\r\n"), "");
}

TEST(FinalAnswer, PrefersTheLastClosedBox) {
  EXPECT_EQ(final_answer("\\boxed{42}"), "42");
  EXPECT_EQ(final_answer("\\boxed{1} then \\boxed{ 2 } Answer: 3"), "2");
  EXPECT_EQ(final_answer("\\boxed{\\frac{1}{2}}."), "\\frac{1}{2}");
  EXPECT_EQ(final_answer("\\boxed{}"), "");
  EXPECT_EQ(final_answer("Answer: 3 \\boxed{42"), "3 \\boxed{42");
}

}  // namespace
}  // namespace minke
