// An endless stream of problems from several tasks by weight: problem i is a function of the mix and i alone.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "tasks/task.h"

namespace minke {

struct TaskShare {
  const Task* task = nullptr;
  int difficulty = 1;
  Tongue tongue = Tongue::kEnglish;
  double weight = 1;  // share of the problems
};

class TaskMix {
 public:
  // The eval split has no problem of the train split.
  TaskMix(const std::vector<TaskShare>& shares, ProblemSplit split, uint64_t seed);

  Problem problem(int64_t i) const;
  double grade(const Problem& problem, std::string_view content) const;

 private:
  struct Source {
    const Task* task;
    Problems of;
    double until;  // shares are cut from [0, 1) in order
  };
  std::vector<Source> sources_;
  uint64_t seed_ = 0;
};

}  // namespace minke
