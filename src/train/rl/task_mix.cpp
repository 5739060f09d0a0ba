#include "train/rl/task_mix.h"

#include <algorithm>

#include "base/check.h"
#include "base/rng.h"

namespace minke {

Result<TaskMix> TaskMix::create(const std::vector<TaskShare>& shares, bool is_eval, uint64_t seed) {
  CHECK(!shares.empty(), "{} tasks", shares.size());
  TaskMix mix;
  mix.seed_ = seed;
  double total = 0, sum = 0;
  for (const TaskShare& share : shares) total += share.weight;
  for (const TaskShare& share : shares) {
    const Task* task = TRY(find_task(share.task));
    if (share.difficulty < 1 || share.difficulty > task->max_difficulty()) {
      return error("task \"{}\": difficulty {}; expected 1 to {}", share.task, share.difficulty, task->max_difficulty());
    }
    sum += share.weight;
    const ProblemSplit split = is_eval ? ProblemSplit::kEval : ProblemSplit::kTrain;
    mix.sources_.push_back({task, {split, seed, share.difficulty, share.tongue}, sum / total});
  }
  return mix;
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
