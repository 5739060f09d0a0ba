#include "eval/eval_table.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/check.h"

namespace minke {
namespace {

// The value of a key, or an error that names it.
template <typename T>
Result<T> value_at(const Json& json, const char* key, const std::string& where) {
  if (!json.is_object() || !json.contains(key)) return error("{}: \"{}\" is missing", where, key);
  if constexpr (std::is_same_v<T, std::string>) {
    if (!json[key].is_string()) return error("{}: \"{}\": expected text, got {}", where, key, json[key].type_name());
  } else {
    if (!json[key].is_number()) return error("{}: \"{}\": expected a number, got {}", where, key, json[key].type_name());
  }
  return json[key].get<T>();
}

Result<const Json*> list_at(const Json& json, const char* key, const std::string& where) {
  if (!json.is_object() || !json.contains(key) || !json[key].is_array())
    return error("{}: \"{}\": expected a list", where, key);
  return &json[key];
}

Result<EvaluatedGroup> parse_group(const Json& json, const std::string& where) {
  EvaluatedGroup group;
  group.summary.group = TRY(value_at<std::string>(json, "task", where));
  group.right = TRY(value_at<std::string>(json, "right", where));
  group.summary.tokens = TRY(value_at<double>(json, "tokens", where));
  group.summary.cut = TRY(value_at<double>(json, "cut", where));
  if (group.right.empty() || group.right.find_first_not_of("01") != std::string::npos) {
    return error("{}: \"right\": expected a digit 0 or 1 for each problem", where);
  }
  const auto n = static_cast<double>(group.right.size());
  const auto n_right = static_cast<double>(std::count(group.right.begin(), group.right.end(), '1'));
  group.summary.n_problems = static_cast<int64_t>(group.right.size());
  group.summary.accuracy = group.summary.pass_at_n = n_right / n;
  group.summary.interval = wilson_interval(n_right, n);
  return group;
}

}  // namespace

const EvaluatedGroup* EvaluatedModel::find(const std::string& group) const {
  const auto found = std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.summary.group == group; });
  return found == groups.end() ? nullptr : &*found;
}

std::string eval_group_name(const Task& task, int difficulty, Tongue tongue) {
  return fmt::format("{}:{}{}", task.name(), difficulty, tongue == Tongue::kKorean ? " ko" : "");
}

EvaluatedModel evaluated_model(const std::string& name, const std::vector<EvalResult>& results, double seconds) {
  EvaluatedModel model{name, {}, seconds};
  for (const EvalSummary& summary : summarise(results)) {
    if (!summary.group.empty()) model.groups.push_back({summary, ""});
  }
  for (const EvalResult& result : results) {
    CHECK(result.answers.size() == 1, "{} answers", result.answers.size());
    const auto group =
        std::find_if(model.groups.begin(), model.groups.end(), [&](const auto& g) { return g.summary.group == result.group; });
    group->right += result.answers[0].grade == 1 ? '1' : '0';
  }
  return model;
}

PairedComparison compare_paired(const EvaluatedGroup& first, const EvaluatedGroup& second) {
  CHECK(first.right.size() == second.right.size(), "{} and {} problems", first.right.size(), second.right.size());
  PairedComparison comparison;
  comparison.n_problems = static_cast<int64_t>(first.right.size());
  for (size_t i = 0; i < first.right.size(); i++) {
    comparison.only_first += first.right[i] > second.right[i] ? 1 : 0;
    comparison.only_second += first.right[i] < second.right[i] ? 1 : 0;
  }
  comparison.p = mcnemar_p(comparison.only_first, comparison.only_second);
  return comparison;
}

Json model_json(const EvaluatedModel& model) {
  Json groups = Json::array();
  for (const auto& [summary, right] : model.groups) {
    groups.push_back({{"task", summary.group},
                      {"n", summary.n_problems},
                      {"accuracy", summary.accuracy},
                      {"wilson_95", {summary.interval.low, summary.interval.high}},
                      {"tokens", summary.tokens},
                      {"cut", summary.cut},
                      {"right", right}});
  }
  return {{"model", model.name}, {"seconds", model.seconds}, {"summary", groups}};
}

Result<EvaluatedModel> parse_model(const Json& json, const std::string& where) {
  EvaluatedModel model;
  model.name = TRY(value_at<std::string>(json, "model", where));
  model.seconds = TRY(value_at<double>(json, "seconds", where));
  const Json* groups = TRY(list_at(json, "summary", where));
  for (const Json& group : *groups) model.groups.push_back(TRY(parse_group(group, where)));
  return model;
}

Json table_json(const EvalTable& table) {
  Json models = Json::array();
  for (const EvaluatedModel& model : table.models) models.push_back(model_json(model));
  return {{"seed", table.seed}, {"models", models}};
}

Result<EvalTable> read_eval_table(const std::string& path) {
  const Json json = TRY(read_json_file(path));
  EvalTable table;
  table.seed = TRY(value_at<uint64_t>(json, "seed", path));
  const Json* models = TRY(list_at(json, "models", path));
  for (const Json& model : *models) table.models.push_back(TRY(parse_model(model, path)));
  if (table.models.empty()) return error("{}: \"models\": expected one model at least", path);
  return table;
}

}  // namespace minke
