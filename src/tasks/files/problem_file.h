// Problems from files: one JSON object a line, its form known by its fields. What is read:
//
//   {"task_id","prompt","entry_point","test"}          HumanEval; graded as "program"
//   {"text"|"prompt","test_list"}                      MBPP; "program"
//   {"question","choices":[...],"answer": 2|"C"}       MMLU and others; "choice"
//   {"question","answer": "... #### 18"}               GSM8K; "answer"
//   {"Body","Question","Answer"}                       SVAMP; "answer"
//   {"problem","answer"} or {"problem","solution"}     MATH, MATH-500, AIME, AMC; "answer"; a solution ends in \boxed{}
//   {"numbers"|"nums":[...],"target"}                  Countdown; graded by the task of this name
//   {"question","answer"}                              anything; "answer"
//
// The quoted word is Problem::task: who grades it (file_grader.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "tasks/task.h"

namespace minke {

struct ProblemFile {
  std::vector<Problem> problems;
  int64_t n_unsolvable = 0;  // rows that say of themselves that they have no solution; left out
};

// An error names file and line.
Result<ProblemFile> read_problem_file(const std::string& path);

}  // namespace minke
