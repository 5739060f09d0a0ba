#include "train/rl/answer_selection.h"

#include <set>

#include "base/check.h"
#include "tasks/problem_row.h"
#include "train/rl/rewards.h"

namespace minke {

bool may_be_kept(const Rollout& rollout, Tongue tongue, const SelectionOptions& options) {
  return rollout.is_whole && rollout.accuracy == 1 && is_well_formed(rollout.text) &&
         language_consistency(split_thought(rollout.text).thought, script_of(tongue)) >= options.min_language;
}

std::string selected_rows(std::span<const Problem> problems, std::span<const Rollout> rollouts, const SelectionOptions& options,
                          SelectionCounts& counts) {
  CHECK(!problems.empty() && rollouts.size() % problems.size() == 0, "{} answers to {} problems", rollouts.size(),
        problems.size());
  const size_t n_samples = rollouts.size() / problems.size();
  std::string rows;
  for (size_t i = 0; i < problems.size(); i++) {
    std::set<std::string_view> kept;
    for (const Rollout& rollout : rollouts.subspan(i * n_samples, n_samples)) {
      counts.n_tokens += static_cast<int64_t>(rollout.answer.size());
      counts.n_right += rollout.accuracy == 1 ? 1 : 0;
      if (static_cast<int64_t>(kept.size()) == options.n_kept || !may_be_kept(rollout, problems[i].tongue, options)) continue;
      if (!kept.insert(rollout.text).second) continue;
      counts.n_kept_tokens += static_cast<int64_t>(rollout.answer.size());
      const ThoughtAndAnswer said = split_thought(rollout.text);
      rows += dump_json(conversation_row(problems[i].question, said.thought, said.answer)) + "\n";
    }
    counts.n_kept += static_cast<int64_t>(kept.size());
    counts.n_solved += kept.empty() ? 0 : 1;
  }
  counts.n_problems += static_cast<int64_t>(problems.size());
  counts.n_answers += static_cast<int64_t>(rollouts.size());
  return rows;
}

}  // namespace minke
