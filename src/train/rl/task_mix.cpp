#include "train/rl/task_mix.h"

#include <algorithm>

#include "base/check.h"
#include "base/rng.h"

namespace minke {

TaskMix::TaskMix(const std::vector<TaskShare>& shares, ProblemSplit split, uint64_t seed) : seed_(seed) {
  CHECK(!shares.empty(), "{} tasks", shares.size());
  double total = 0, sum = 0;
  for (const TaskShare& share : shares) total += share.weight;
  for (const TaskShare& share : shares) {
    sum += share.weight;
    sources_.push_back({share.task, {split, seed, share.difficulty, share.tongue}, sum / total});
  }
}

Problem TaskMix::problem(int64_t i) const {
  const double at = static_cast<double>(mix_seed(~seed_, static_cast<uint64_t>(i)) >> 11) * 0x1p-53;
  auto source = std::find_if(sources_.begin(), sources_.end() - 1, [&](const Source& s) { return at < s.until; });
  return source->task->make(source->of, i);
}

double TaskMix::grade(const Problem& problem, std::string_view content) const {
  const Result<const Task*> task = find_task(problem.task);
  CHECK(task.has_value(), "a problem of {}", problem.task);
  return (*task)->grade(problem, content);
}

}  // namespace minke
