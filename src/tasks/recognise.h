// From a question back to its problem, where the question says all that the grader needs.
#pragma once

#include <optional>
#include <string_view>

#include "tasks/task.h"

namespace minke {

// A question in exactly the words that the task asks in (with ' for " as well); Problem::id is empty.
std::optional<Problem> recognise_countdown(std::string_view question);

}  // namespace minke
