// Runs the tests of HumanEval and MBPP on a reply's code. Two Python processes in one sandbox: the checker has the tests and a
// random token and nothing of the reply; the candidate has the reply's code and nothing of the tests. The candidate's functions
// appear to the tests as functions that send their arguments through a pipe and get plain values back: numbers, strings, lists,
// tuples, sets, dicts, by content. So the code cannot leave before the checks, replace == or assert, read what is expected, or
// print the sign of success, which is the checker's token on its own output after the last test.
// Tests that hand over objects of their own classes, types or modules cannot be passed: 4 of the 974 of MBPP.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "sandbox/sandbox.h"
#include "tasks/task.h"

namespace minke {

// 1 when all tests pass. An error is a fault of the machine.
Result<double> grade_program(const Sandbox& sandbox, const Problem& problem, std::string_view content);

// The code of a reply: the last ``` block, else all of it.
std::string code_of(std::string_view content);

}  // namespace minke
