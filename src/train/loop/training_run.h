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
#include "data/loader.h"
#include "model/training/training_pass.h"
#include "tokenizer/tokenizer.h"
#include "train/checkpoint/checkpoint.h"
#include "train/checkpoint/run_lock.h"
#include "train/loop/flops.h"
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
  double first_flops() const { return first_.flops; }
  bool is_finished() const { return state_.tokens >= recipe_.schedule.total_tokens; }
  const std::string& parent() const { return state_.parent; }
  const Model& model() const { return *model_; }
  const ParameterStore& parameters() const { return *parameters_; }

 private:
  TrainingRun(const recipe::Recipe& recipe, const RunSetup& setup, const Context& context);
  Status make_model();
  Status make_adapters();
  Status check_model() const;
  Status open_data();
  Status resume();
  // The losses and gradients of a batch; nothing when it was stopped.
  Result<std::optional<LossParts>> accumulate(const TrainingBatch& batch, const RunHooks& hooks);
  Result<std::optional<StepRecord>> step(const RunHooks& hooks);
  std::string update(const LossParts& parts, double norm, double lr);
  Result<double> validate();
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
  std::optional<TrainingFlops> step_flops_;
  SpikeGuard guard_;
  std::optional<DataLoader> data_, validation_data_;
  struct Start {
    int64_t step = 0, tokens = 0;
    double flops = 0;
  } first_;
  CheckpointState state_;
  DataCursor cursor_;  // after the last whole step
  int64_t saved_step_ = -1;
  int n_lost_steps_ = 0;  // in a row, not finite
};

}  // namespace minke
