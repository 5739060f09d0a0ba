// A problem as a row of a .jsonl file, in the form that its reader wants.
#pragma once

#include <array>
#include <string_view>
#include <utility>

#include "base/json.h"
#include "tasks/task.h"

namespace minke {

enum class ProblemForm {
  kMessages,    // a conversation with the thought as reasoning_content: for fine-tuning
  kCompletion,  // plain text of which the question is not learnt
  kText,        // plain text: for pretraining
  kProblems,    // everything: for evaluations
};

constexpr std::array<std::pair<std::string_view, ProblemForm>, 4> kProblemForms = {{{"messages", ProblemForm::kMessages},
                                                                                    {"completion", ProblemForm::kCompletion},
                                                                                    {"text", ProblemForm::kText},
                                                                                    {"problems", ProblemForm::kProblems}}};

Json problem_row(const Problem& problem, ProblemForm form);

// A conversation of the problem and an answer to it: what fine-tuning learns from.
Json conversation_row(std::string_view question, std::string_view thought, std::string_view answer);

}  // namespace minke
