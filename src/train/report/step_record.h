// What the loop says about a step, once: the log, TensorBoard, the curves, the progress line and the ledger all show this.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace minke {

struct TextSample {
  std::string prompt;
  std::string text;  // what the model went on with
};

// What only some kinds of training have.
struct Figure {
  std::string name;
  double value = 0;
};

struct StepRecord {
  int64_t step = 0;                 // from 1
  int64_t tokens = 0;               // seen when the step is done, from the start of training, resumed or not
  int64_t position = 0, total = 0;  // of the schedule, in its own unit: tokens, or steps (grpo)
  double flops = 0;                 // of the model, forward and backward, from the start of training
  double loss = 0;                  // all parts
  double cross_entropy = 0;
  double balance_loss = 0;
  double mtp_loss = 0;
  double grad_norm = 0;
  double lr = 0;
  double step_s = 0;
  double tokens_per_s = 0;
  double mfu = 0;       // share of the measured peak that the model's operations reach; 0: not measured
  std::string skipped;  // why the step was not taken; empty: it was
  std::vector<Figure> figures;
  std::optional<double> validation_loss;
  std::vector<TextSample> samples;
};

// The value of the figure of this name.
std::optional<double> figure_of(const StepRecord& record, std::string_view name);

// One line of log.jsonl. Numbers that are not finite are null: JSON has no other word for them, and reading gives NaN back.
Json step_json(const StepRecord& record);
Result<StepRecord> parse_step(const Json& json, const std::string& where);

}  // namespace minke
