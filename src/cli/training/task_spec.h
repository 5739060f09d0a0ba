// Tasks as they are named on a command line: NAME (all difficulties), NAME:D or NAME:D-E.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tasks/task.h"

namespace minke::cli {

struct TaskSource {
  const Task* task;
  int difficulty;
};

// One source for each difficulty, in the order of the specs.
Result<std::vector<TaskSource>> parse_task_specs(std::span<const std::string> specs);

// Of --in en, ko or both.
std::vector<Tongue> tongues_of(const std::string& languages);

}  // namespace minke::cli
