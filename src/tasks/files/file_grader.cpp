#include "tasks/files/file_grader.h"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tasks/compare/same_answer.h"
#include "tasks/files/program_grader.h"

namespace minke {
namespace {

std::string_view without(std::string_view text, std::string_view edges) {
  const size_t first = text.find_first_not_of(edges);
  return first == std::string_view::npos ? std::string_view() : text.substr(first, text.find_last_not_of(edges) - first + 1);
}

// "B", "(B)", "B.", "\text{B}", "B. all of them" where that is what B says, or the words of one choice alone.
double grade_choice(const Problem& problem, std::string_view given) {
  const std::string right = problem.facts.at("answer");
  const std::vector<std::string> choices = problem.facts.at("choices");
  const size_t index = static_cast<size_t>(right[0] - 'A');
  given = without(given, " \t\r\n*$");
  if (given.starts_with("\\text{") && given.ends_with('}')) given = given.substr(6, given.size() - 7);
  const std::string_view inside = without(given, "().: ");
  if (inside.size() == 1) return inside[0] == right[0] || inside[0] == right[0] - 'A' + 'a' ? 1 : 0;
  if (given.starts_with('(')) given.remove_prefix(1);
  if (given.size() > 2 && given[0] == right[0] && (given[1] == '.' || given[1] == ')' || given[1] == ':')) {
    return same_answer(choices[index], without(given.substr(2), " )")) ? 1 : 0;
  }
  // A choice by its words; not where two choices say the same.
  const auto says = [&](const std::string& choice) { return same_answer(choice, given); };
  return says(choices[index]) && std::count_if(choices.begin(), choices.end(), says) == 1 ? 1 : 0;
}

}  // namespace

Result<FileGrader> FileGrader::open(std::span<const Problem> problems) {
  FileGrader grader;
  for (const Problem& problem : problems) {
    if (problem.task == "answer" || problem.task == "choice") continue;
    if (problem.task != "program") {
      TRY_IN(problem.id, find_task(problem.task));
      continue;
    }
    if (grader.sandbox_) continue;
    if (access("/usr/bin/python3", X_OK) != 0) {
      return error("{}: its tests are Python and /usr/bin/python3 is missing; install the package python3", problem.id);
    }
    grader.sandbox_.emplace(TRY_IN(problem.id, Sandbox::open()));
  }
  return grader;
}

Result<double> FileGrader::grade(const Problem& problem, std::string_view content) const {
  if (problem.task == "answer") {
    return same_answer(problem.facts.at("answer").get<std::string>(), final_answer(content)) ? 1 : 0;
  }
  if (problem.task == "choice") return grade_choice(problem, final_answer(content));
  if (problem.task == "program") {
    if (!sandbox_) return error("{}: this grader was opened without programs", problem.id);
    return grade_program(*sandbox_, problem, content);
  }
  const Task* task = TRY(find_task(problem.task));
  return task->grade(problem, content);
}

}  // namespace minke
