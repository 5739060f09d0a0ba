#include "train/report/comparison.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "train/report/curves.h"

namespace minke {
namespace {

struct Validation {
  double loss = 0;
  Spent spent;
};

std::vector<Validation> validations_of(std::span<const StepRecord> run) {
  std::vector<Validation> out;
  double seconds = 0;
  for (const StepRecord& record : run) {
    seconds += record.step_s;
    if (!record.validation_loss) continue;
    out.push_back({*record.validation_loss, {static_cast<double>(record.tokens), record.flops, seconds}});
  }
  return out;
}

Spent between(const Spent& a, const Spent& b, double share) {
  auto mix = [share](double from, double to) { return from + share * (to - from); };
  return {mix(a.tokens, b.tokens), mix(a.flops, b.flops), mix(a.seconds, b.seconds)};
}

// The mean over seeds of what all of them have at the same validation; `x` picks the figure.
Line mean_line(const VariantRuns& variant, double Spent::*x, double unit) {
  Line line{variant.name, {}};
  std::vector<std::vector<Validation>> runs;
  size_t n = std::numeric_limits<size_t>::max();
  for (const std::vector<StepRecord>& run : variant.runs) {
    runs.push_back(validations_of(run));
    n = std::min(n, runs.back().size());
  }
  for (size_t i = 0; i < n && !runs.empty(); i++) {
    double sum_x = 0, sum_loss = 0;
    for (const std::vector<Validation>& run : runs) {
      sum_x += run[i].spent.*x / unit;
      sum_loss += run[i].loss;
    }
    const double n_runs = static_cast<double>(runs.size());
    line.points.emplace_back(sum_x / n_runs, sum_loss / n_runs);
  }
  return line;
}

Json mean_json(const Mean& mean) { return {{"mean", mean.value}, {"standard_error", mean.error}}; }

}  // namespace

std::optional<double> lowest_validation_loss(std::span<const StepRecord> run) {
  std::optional<double> lowest;
  for (const StepRecord& record : run) {
    if (record.validation_loss) lowest = std::min(lowest.value_or(*record.validation_loss), *record.validation_loss);
  }
  return lowest;
}

std::optional<Spent> spent_until(std::span<const StepRecord> run, double target) {
  const std::vector<Validation> validations = validations_of(run);
  for (size_t i = 0; i < validations.size(); i++) {
    if (validations[i].loss > target) continue;
    if (i == 0) return validations[0].spent;
    const Validation& before = validations[i - 1];
    const double share = (before.loss - target) / (before.loss - validations[i].loss);
    return between(before.spent, validations[i].spent, share);
  }
  return std::nullopt;
}

Mean mean_of(std::span<const double> values) {
  const double n = static_cast<double>(values.size());
  Mean mean;
  for (double value : values) mean.value += value / n;
  if (values.size() < 2) return mean;
  double squares = 0;
  for (double value : values) squares += (value - mean.value) * (value - mean.value);
  mean.error = std::sqrt(squares / (n - 1) / n);
  return mean;
}

Result<Comparison> compare_runs(const VariantRuns& first, const VariantRuns& second) {
  if (first.runs.size() != second.runs.size() || first.runs.empty()) {
    return error("{} has {} runs and {} has {}: expected as many, at least one", first.name, first.runs.size(), second.name,
                 second.runs.size());
  }
  Comparison comparison;
  comparison.target = -std::numeric_limits<double>::infinity();
  const std::array<const VariantRuns*, 2> variants = {&first, &second};
  for (const VariantRuns* variant : variants) {
    std::vector<double> lowest;
    for (const std::vector<StepRecord>& run : variant->runs) {
      const std::optional<double> loss = lowest_validation_loss(run);
      if (!loss) return error("{}: a run was never validated; set log.validate_every_steps and validation data", variant->name);
      lowest.push_back(*loss);
    }
    comparison.target = std::max(comparison.target, *std::max_element(lowest.begin(), lowest.end()));
    comparison.variants.push_back({variant->name, mean_of(lowest), {}, {}, {}});
  }
  std::array<std::vector<Spent>, 2> spent;
  for (size_t v = 0; v < 2; v++) {
    for (const std::vector<StepRecord>& run : variants[v]->runs) spent[v].push_back(*spent_until(run, comparison.target));
  }
  auto means = [&](double Spent::*figure, Mean ComparedVariant::*to, Mean& ratio) {
    std::array<std::vector<double>, 2> values;
    std::vector<double> ratios;
    for (size_t v = 0; v < 2; v++) {
      for (const Spent& s : spent[v]) values[v].push_back(s.*figure);
      comparison.variants[v].*to = mean_of(values[v]);
    }
    for (size_t i = 0; i < values[0].size(); i++) ratios.push_back(values[0][i] / values[1][i]);
    ratio = mean_of(ratios);
  };
  means(&Spent::tokens, &ComparedVariant::tokens, comparison.tokens_ratio);
  means(&Spent::flops, &ComparedVariant::flops, comparison.flops_ratio);
  means(&Spent::seconds, &ComparedVariant::seconds, comparison.seconds_ratio);
  return comparison;
}

std::string comparison_svg(const VariantRuns& first, const VariantRuns& second) {
  const std::array<Panel, 1> panels = {
      {{"validation loss", {mean_line(first, &Spent::flops, 1e12), mean_line(second, &Spent::flops, 1e12)}}}};
  return panels_svg(first.name + " and " + second.name, "TFLOP of the model", panels);
}

Json comparison_json(const Comparison& comparison) {
  Json variants = Json::array();
  for (const ComparedVariant& v : comparison.variants) {
    variants.push_back({{"name", v.name},
                        {"lowest_validation_loss", mean_json(v.final_loss)},
                        {"tokens", mean_json(v.tokens)},
                        {"flops", mean_json(v.flops)},
                        {"seconds", mean_json(v.seconds)}});
  }
  return {{"target_validation_loss", comparison.target},
          {"variants", variants},
          {"ratio",
           {{"tokens", mean_json(comparison.tokens_ratio)},
            {"flops", mean_json(comparison.flops_ratio)},
            {"seconds", mean_json(comparison.seconds_ratio)}}}};
}

}  // namespace minke
