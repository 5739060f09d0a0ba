// Any bytes as a reply to a problem: the first byte picks the task, the rest is graded. The grade is 0 or 1.
#include <cstdlib>
#include <vector>

#include "tasks/task.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  static const auto problems = [] {
    std::vector<minke::Problem> made;
    for (const minke::Task* task : minke::all_tasks()) {
      made.push_back(task->make({minke::ProblemSplit::kTrain, 1, 1, minke::Tongue::kEnglish}, 0));
    }
    return made;
  }();
  const size_t which = data[0] % problems.size();
  const std::string_view content(reinterpret_cast<const char*>(data) + 1, size - 1);
  const double grade = minke::all_tasks()[which]->grade(problems[which], content);
  if (grade != 0 && grade != 1) std::abort();
  return 0;
}
