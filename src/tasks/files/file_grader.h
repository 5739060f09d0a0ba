// Grades replies to problems of files: "answer" by same_answer, "choice" by the letter, "program" by running the tests in the
// sandbox, any other name by the task of that name.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/error.h"
#include "sandbox/sandbox.h"
#include "tasks/task.h"

namespace minke {

class FileGrader {
 public:
  // Refuses problems that this machine cannot grade: programs without a sandbox or without python3, tasks of unknown names.
  static Result<FileGrader> open(std::span<const Problem> problems);

  // 1 right, 0 wrong. An error is a fault of the machine, never of the reply. Threads may call it at once.
  Result<double> grade(const Problem& problem, std::string_view content) const;

 private:
  std::optional<Sandbox> sandbox_;
};

}  // namespace minke
