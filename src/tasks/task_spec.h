// Tasks as they are named on a command line and in a recipe: NAME (all difficulties), NAME:D or NAME:D-E.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/task.h"

namespace minke {

struct TaskSource {
  const Task* task;
  int difficulty;
};

// One source for each difficulty, in the order of the specs.
Result<std::vector<TaskSource>> parse_task_specs(std::span<const std::string> specs);

// Of en, ko or both.
std::vector<Tongue> tongues_of(std::string_view languages);

}  // namespace minke
