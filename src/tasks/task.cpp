#include "tasks/task.h"

#include <algorithm>
#include <array>

#include "tasks/problems/problems.h"

namespace minke {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(kBlanks);
  return first == std::string_view::npos ? std::string_view() : text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// What stands in the braces of the \boxed{ whose content begins at `begin`; none when they are not closed.
std::optional<std::string_view> braced(std::string_view content, size_t begin) {
  size_t depth = 1;
  for (size_t i = begin; i < content.size(); ++i) {
    if (content[i] == '{') ++depth;
    if (content[i] == '}' && --depth == 0) return content.substr(begin, i - begin);
  }
  return std::nullopt;
}

// Markdown around an answer: "**Answer:** 5" and "**Answer: 5**" leave "** 5" and "5**" behind the word.
std::string_view without_emphasis(std::string_view text) {
  for (std::string_view mark : {"**", "__", "`"}) {
    while (text.starts_with(mark)) text = trimmed(text.substr(mark.size()));
    while (text.ends_with(mark)) text = trimmed(text.substr(0, text.size() - mark.size()));
  }
  return text;
}

}  // namespace

std::span<const Task* const> all_tasks() {
  static const std::array kTasks = {
      &arithmetic_addition(), &chain(),        &countdown(), &expression_synthesis(), &fractions(), &knights_and_knaves(),
      &multiplication(),      &number_sense(), &ordering(),  &program_output(),       &syllogism()};
  return kTasks;
}

Result<const Task*> find_task(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Task* task : all_tasks()) {
    if (task->name() == name) return task;
    names.push_back(task->name());
  }
  return error("there is no task \"{}\"; the tasks are: {}", name, fmt::join(names, ", "));
}

std::string_view final_answer(std::string_view content) {
  constexpr std::string_view kBox = "\\boxed{", kEnglish = "Answer:", kKorean = "답:";
  if (const size_t box = content.rfind(kBox); box != std::string_view::npos) {
    if (const auto inside = braced(content, box + kBox.size())) return trimmed(*inside);
  }
  const size_t english = content.rfind(kEnglish), korean = content.rfind(kKorean);
  size_t begin = 0;
  if (english != std::string_view::npos) begin = english + kEnglish.size();
  if (korean != std::string_view::npos) begin = std::max(begin, korean + kKorean.size());
  if (begin == 0) return trimmed(content);
  const std::string_view rest = content.substr(begin);
  return without_emphasis(trimmed(rest.substr(0, rest.find('\n'))));
}

}  // namespace minke
