// What several models scored on the same problems, as a file: made by the eval stage of a recipe, read by model cards.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "eval/evaluation.h"

namespace minke {

struct EvaluatedGroup {
  EvalSummary summary;
  std::string right;  // '1' or '0' for each problem in order, so that two models can be compared problem by problem
};

struct EvaluatedModel {
  std::string name;
  std::vector<EvaluatedGroup> groups;
  double seconds = 0;  // that the answers took

  const EvaluatedGroup* find(const std::string& group) const;
};

struct EvalTable {
  uint64_t seed = 0;  // of the problems
  std::vector<EvaluatedModel> models;
};

// "countdown:2", "countdown:2 ko".
std::string eval_group_name(const Task& task, int difficulty, Tongue tongue);

EvaluatedModel evaluated_model(const std::string& name, const std::vector<EvalResult>& results, double seconds);
// The same problems answered by two models.
PairedComparison compare_paired(const EvaluatedGroup& first, const EvaluatedGroup& second);

Json model_json(const EvaluatedModel& model);
Result<EvaluatedModel> parse_model(const Json& json, const std::string& where);
Json table_json(const EvalTable& table);
Result<EvalTable> read_eval_table(const std::string& path);

}  // namespace minke
