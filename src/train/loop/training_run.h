// The one training loop: data, forward and backward passes, optimizer and checkpoints of one stage of a recipe. Who watches it
// (log, ledger, screen) gets one record per step.
// A run lives in its folder, recipe.out:
//   step-000123/   checkpoints (train/checkpoint), each a model in the Hugging Face layout, or an adapter in PEFT's
// A folder with a checkpoint is gone on with, and then everything is, to the bit, as if the run had never stopped (with the
// same number of threads or any other: no result depends on it).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "base/error.h"
#include "model/training/training_pass.h"
#include "tokenizer/tokenizer.h"
#include "train/checkpoint/checkpoint.h"
#include "train/checkpoint/run_lock.h"
#include "train/loop/lesson.h"
#include "train/optimizer/optimizer.h"
#include "train/optimizer/spike_guard.h"
#include "train/parameters.h"
#include "train/recipe/recipe.h"
#include "train/report/step_record.h"

namespace minke {

struct RunSetup {
  double peak_flops = 0;  // of f32 on this machine, measured; 0: not known, then there is no MFU
  IfDamaged if_damaged = IfDamaged::kRefuse;
};

// What the caller sees and decides; all may be empty.
struct RunHooks {
  std::function<Status(const StepRecord& record)> on_step;
  std::function<bool()> wants_stop;  // asked between micro-batches
};

enum class RunEnd { kFinished, kStopped };

class TrainingRun {
 public:
  // Opens the data, makes or reads the model, and finds the last checkpoint of recipe.out, which exists.
  static Result<std::unique_ptr<TrainingRun>> open(const recipe::Recipe& recipe, const RunSetup& setup, const Context& context);

  // To the end of the schedule, or until wants_stop: then the step that is under way is dropped, and a checkpoint written.
  // After an error (a full disk, data that cannot be read) the last checkpoint stands.
  Result<RunEnd> run(const RunHooks& hooks);

  // Where this process began.
  int64_t first_step() const { return first_.step; }
  int64_t first_tokens() const { return first_.tokens; }
  int64_t first_position() const { return first_.position; }
  double first_flops() const { return first_.flops; }
  bool is_finished() const { return position() >= recipe_.schedule.total; }
  const std::string& parent() const { return state_.parent; }
  const Model& model() const { return *model_; }
  const ParameterStore& parameters() const { return *parameters_; }

 private:
  TrainingRun(const recipe::Recipe& recipe, const RunSetup& setup, const Context& context);
  Status make_model();
  Status make_adapters();
  Status check_model() const;
  Status resume();
  // In the unit of the schedule.
  int64_t position() const { return recipe_.rl ? state_.step : state_.tokens; }
  Result<std::optional<StepRecord>> step(const RunHooks& hooks);
  Status update(StepRecord& record, const LossParts& parts, double lr);
  Result<std::vector<TextSample>> samples();
  Status after_step(StepRecord& record, const RunHooks& hooks);
  Status save();

  recipe::Recipe recipe_;
  RunSetup setup_;
  Context context_;
  std::optional<RunLock> lock_;
  std::vector<CheckpointFile> tokenizer_files_;
  std::optional<Tokenizer> tokenizer_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<ParameterStore> parameters_;
  std::unique_ptr<Optimizer> optimizer_;
  std::optional<TrainingPass> pass_;
  SpikeGuard guard_;
  std::unique_ptr<Lesson> lesson_;
  struct Start {
    int64_t step = 0, tokens = 0, position = 0;
    double flops = 0;
  } first_;
  CheckpointState state_;
  int64_t saved_step_ = -1;
  int n_lost_steps_ = 0;  // in a row, not finite
};

}  // namespace minke
