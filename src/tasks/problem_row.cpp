#include "tasks/problem_row.h"

#include "base/check.h"

namespace minke {

Json conversation_row(std::string_view question, std::string_view thought, std::string_view answer) {
  const Json reply = {{"role", "assistant"}, {"content", answer}, {"reasoning_content", thought}};
  return {{"messages", {{{"role", "user"}, {"content", question}}, reply}}};
}

Json problem_row(const Problem& problem, ProblemForm form) {
  const std::string reply = problem.thought + "\n" + problem.answer;
  switch (form) {
    case ProblemForm::kMessages:
      return conversation_row(problem.question, problem.thought, problem.answer);
    case ProblemForm::kCompletion:
      return {{"prompt", problem.question + "\n"}, {"completion", reply}};
    case ProblemForm::kText:
      return {{"text", problem.question + "\n" + reply}};
    case ProblemForm::kProblems:
      return {{"id", problem.id},
              {"task", problem.task},
              {"language", problem.tongue == Tongue::kKorean ? "ko" : "en"},
              {"question", problem.question},
              {"thought", problem.thought},
              {"answer", problem.answer},
              {"facts", problem.facts}};
  }
  CHECK(false, "form {}", static_cast<int>(form));
}

}  // namespace minke
