// An interpreter of the few lines of Python that program_output asks about: it gives the printed text, and the trace of it that
// is the reference thought. Integers only, with Python's rounding of // and %.
//
//   NAME = FORMULA            if FORMULA < OPERAND:     for i in range(N):        print(NAME)
//   FORMULA: OPERAND [(+ - * // %) OPERAND]             else:                     conditions: < > ==, the left side a formula
//
// Blocks are indented by four blanks. Names are single letters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tasks/task.h"

namespace minke {

struct ProgramRun {
  std::string output;  // what print wrote, in one line
  std::string trace;
  bool is_small = true;  // all values stayed within 9999
};

// The text must be a program of the above form: it comes from our generator, never from a reply.
ProgramRun run_program(std::string_view text, Tongue tongue);

}  // namespace minke
