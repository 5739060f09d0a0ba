// How many problems a model gets right: answers sampled many at a time, graded by programs, summed up with intervals. The same
// model, problems and options give the same answers on any machine with the same instruction set.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/context.h"
#include "base/error.h"
#include "base/json.h"
#include "eval/statistics.h"
#include "model/model.h"
#include "tasks/task.h"
#include "tokenizer/tokenizer.h"
#include "train/rl/rollout.h"

namespace minke {

struct EvalOptions {
  int64_t n_samples = 1;  // of each problem
  int64_t max_new_tokens = 1024;
  double temperature = 0;
  uint64_t seed = 1;
};

struct EvalAnswer {
  std::string text;  // thought and answer
  double grade = 0;
  int64_t n_tokens = 0;
  bool is_whole = false;  // not cut at max_new_tokens
};

struct EvalResult {
  std::string group;  // what it is summed up with: task and difficulty, or the file
  Problem problem;
  std::vector<EvalAnswer> answers;  // [n_samples]
};

struct EvalProblem {
  std::string group;
  Problem problem;
};

using OnEvalProgress = std::function<bool(int64_t n_done, int64_t n_total)>;  // answers; false stops

// Nothing when on_progress stopped it.
Result<std::optional<std::vector<EvalResult>>> evaluate(Model& model, const Tokenizer& tokenizer,
                                                        std::span<const EvalProblem> problems, const EvalOptions& options,
                                                        const Grade& grade, const OnEvalProgress& on_progress,
                                                        const Context& context);

// A line of a report.
struct EvalSummary {
  std::string group;
  int64_t n_problems = 0;
  double accuracy = 0;   // mean over problems of the share of right answers
  Interval interval;     // Wilson's, over problems
  double pass_at_n = 0;  // at least one of the samples right
  double tokens = 0;     // of an answer, mean
  double cut = 0;        // share of answers that were cut at max_new_tokens
};

// By group in the order they come, and last all together (group "") when there are several.
std::vector<EvalSummary> summarise(std::span<const EvalResult> results);

// Of the same problems: how many only one of the two got right (by its first answer), and McNemar's p.
struct PairedComparison {
  int64_t n_problems = 0, only_first = 0, only_second = 0;
  double p = 1;
};
PairedComparison compare_paired(std::span<const EvalResult> first, std::span<const EvalResult> second);

}  // namespace minke
