// Questions read from the inputs of a request.
#pragma once

#include <optional>

#include "plan/answers/compare.h"
#include "plan/answers/rl_answer.h"
#include "plan/answers/run_answer.h"
#include "plan/request/inputs.h"

namespace minke::plan {

constexpr int64_t kMaxDevices = 10'000'000;
constexpr int64_t kMaxSequences = 1'000'000'000;

Result<TrainQuestion> train_question(const Inputs& in, const Tables& tables);
Result<RlQuestion> rl_question(const Inputs& in, const Tables& tables);
Result<ServeQuestion> serve_question(const Inputs& in, const Tables& tables);
Result<RunQuestion> run_question(const Inputs& in, const Tables& tables);

struct ComparisonQuestion {
  Comparison comparison;
  std::optional<Sweep> sweep;
};
Result<ComparisonQuestion> comparison_question(const Inputs& in, const Tables& tables);

}  // namespace minke::plan
