// The Python of program_grader: values as text that both sides read, the checker, the candidate's side.
#pragma once

#include <string_view>

namespace minke {

extern const std::string_view kPythonValues;
extern const std::string_view kPythonChecker;    // after kPythonValues; reads the job from its standard input
extern const std::string_view kPythonCandidate;  // after kPythonValues; started by the checker

}  // namespace minke
