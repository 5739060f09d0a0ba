// Rejection sampling: a model answers problems, and what is right and well said becomes training data. DeepSeek-R1 (arXiv
// 2501.12948), section 2.3.3, makes the data of its second fine-tuning so, and that of its distilled models (section 2.4).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "tasks/task.h"
#include "train/rl/rollout.h"

namespace minke {

struct SelectionOptions {
  int64_t n_kept = 1;       // answers to a problem, at most
  double min_language = 0;  // language_consistency of the thought
};

struct SelectionCounts {
  int64_t n_problems = 0, n_solved = 0;  // solved: one answer was kept at least
  int64_t n_answers = 0, n_right = 0, n_kept = 0;
  int64_t n_tokens = 0, n_kept_tokens = 0;  // sampled
};

// Whether an answer may be learnt from: whole, right, well-formed, its thought in the language of the question.
bool may_be_kept(const Rollout& rollout, Tongue tongue, const SelectionOptions& options);

// The first n_kept different answers to each problem that may be kept, as rows of a .jsonl file (conversation_row). `rollouts`
// are those of the problems in order, as many for each. Adds to `counts`.
std::string selected_rows(std::span<const Problem> problems, std::span<const Rollout> rollouts, const SelectionOptions& options,
                          SelectionCounts& counts);

}  // namespace minke
