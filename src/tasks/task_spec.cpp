#include "tasks/task_spec.h"

#include <charconv>

namespace minke {
namespace {

Result<int> parse_difficulty(std::string_view text, const std::string& spec, const Task& task) {
  int value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size() || value < 1 || value > task.max_difficulty()) {
    return error("{}: difficulty \"{}\"; {} has 1 to {}", spec, text, task.name(), task.max_difficulty());
  }
  return value;
}

Status add_sources(std::vector<TaskSource>& sources, const std::string& spec) {
  const size_t colon = spec.find(':');
  const Task* task = TRY(find_task(std::string_view(spec).substr(0, colon)));
  int first = 1, last = task->max_difficulty();
  if (colon != std::string::npos) {
    const std::string_view range = std::string_view(spec).substr(colon + 1);
    const size_t dash = range.find('-');
    first = last = TRY(parse_difficulty(range.substr(0, dash), spec, *task));
    if (dash != std::string_view::npos) last = TRY(parse_difficulty(range.substr(dash + 1), spec, *task));
  }
  for (int difficulty = first; difficulty <= last; difficulty++) sources.push_back({task, difficulty});
  return {};
}

}  // namespace

Result<std::vector<TaskSource>> parse_task_specs(std::span<const std::string> specs) {
  std::vector<TaskSource> sources;
  for (const std::string& spec : specs) TRY(add_sources(sources, spec));
  return sources;
}

std::vector<Tongue> tongues_of(std::string_view languages) {
  std::vector<Tongue> tongues;
  if (languages != "ko") tongues.push_back(Tongue::kEnglish);
  if (languages != "en") tongues.push_back(Tongue::kKorean);
  return tongues;
}

}  // namespace minke
