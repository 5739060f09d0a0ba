// Which of two ways to train learns more for what it costs: runs of two variants, each with several seeds, compared at the same
// validation loss.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "train/report/step_record.h"

namespace minke {

// What a run had spent when its validation loss first fell to a target.
struct Spent {
  double tokens = 0;
  double flops = 0;    // of the model, forward and backward
  double seconds = 0;  // of the training steps; validation and samples are not in it
};

struct Mean {
  double value = 0;
  double error = 0;  // standard error of the mean over the seeds; 0 with one seed
};

// The lowest validation loss of a run; nothing when it was never validated.
std::optional<double> lowest_validation_loss(std::span<const StepRecord> run);

// Between two validations the loss is taken to fall linearly in each of the figures. Nothing when the target is not reached.
std::optional<Spent> spent_until(std::span<const StepRecord> run, double target);

Mean mean_of(std::span<const double> values);

struct ComparedVariant {
  std::string name;
  Mean final_loss;              // lowest validation loss
  Mean tokens, flops, seconds;  // until the target
};

struct Comparison {
  double target = 0;  // the highest of the runs' lowest validation losses: every run reached it
  std::vector<ComparedVariant> variants;
  // Of the first variant's figure by the second's, seed by seed: the runs of a seed see the same data in the same order.
  Mean tokens_ratio, flops_ratio, seconds_ratio;
};

struct VariantRuns {
  std::string name;
  std::vector<std::vector<StepRecord>> runs;  // one per seed, in the order of the seeds
};

// Two variants with the same number of runs; a run without validation is an error.
Result<Comparison> compare_runs(const VariantRuns& first, const VariantRuns& second);

// Validation loss over operations and over seconds, a line per variant (the mean of its seeds).
std::string comparison_svg(const VariantRuns& first, const VariantRuns& second);

Json comparison_json(const Comparison& comparison);

}  // namespace minke
