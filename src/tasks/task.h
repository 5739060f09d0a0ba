// A question whose answer a program can check, and the registry of the tasks that make such questions: arithmetic, Countdown,
// logic, code. One file a task and one row in task.cpp. Problems are functions of (task, split, seed, index, difficulty,
// language) alone: anyone can make them again.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace minke {

enum class ProblemSplit { kTrain, kEval };
enum class Tongue { kEnglish, kKorean };  // of question and thought

struct Problem {
  std::string id;    // "countdown/2/ko/eval/7/123": task, difficulty, language, split, seed, index; of a file: name and line
  std::string task;  // the name of the task that grades it
  Tongue tongue = Tongue::kEnglish;
  std::string question;  // the user's message; it says in which form the answer is wanted
  std::string thought;   // a chain of thought that leads to the answer; empty where none is known
  std::string answer;    // a right answer as the assistant's content; empty where none is known
  nlohmann::json facts;  // what the grader needs: numbers and target, a right value, tests
};

struct Problems {
  ProblemSplit split = ProblemSplit::kTrain;
  uint64_t seed = 0;
  int difficulty = 1;  // 1 .. Task::max_difficulty()
  Tongue tongue = Tongue::kEnglish;
};

class Task {
 public:
  virtual ~Task() = default;
  virtual std::string_view name() const = 0;
  virtual int max_difficulty() const = 0;
  // What a difficulty means, one line.
  virtual std::string describe(int difficulty) const = 0;
  virtual Problem make(const Problems& of, int64_t index) const = 0;
  // 1 right, 0 wrong; `content` is what the assistant says after its thought. Never throws, whatever the text is.
  virtual double grade(const Problem& problem, std::string_view content) const = 0;
};

// All of them, by name.
std::span<const Task* const> all_tasks();
// Unknown: an error that lists the known ones.
Result<const Task*> find_task(std::string_view name);

// The final answer that a content gives: inside the last \boxed{}, else after the last "Answer:" or "답:" (to the end of its
// line, without Markdown's emphasis), else the whole content; trimmed.
std::string_view final_answer(std::string_view content);

}  // namespace minke
