// The procedural tasks: one file each beside this header.
#pragma once

#include <cstdint>
#include <vector>

#include "tasks/task.h"

namespace minke {

const Task& arithmetic_addition();
const Task& multiplication();
const Task& chain();
const Task& fractions();
const Task& countdown();

// A Countdown problem that was not drawn, such as a row of a file; it has no thought and no answer.
Result<Problem> countdown_problem(std::string id, const std::vector<int64_t>& numbers, int64_t target, Tongue tongue);

}  // namespace minke
