// Everything that watches a training run: ledger row, log.jsonl, TensorBoard events, progress line, and the curves at the end.
// The loop hands over one StepRecord per step and knows none of them.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/terminal.h"
#include "ledger/recorder.h"
#include "train/recipe/recipe.h"
#include "train/report/event_file.h"
#include "train/report/run_log.h"
#include "train/report/step_record.h"

namespace minke::cli {

// Where the run goes on; zeros for a new one.
struct TrainingStart {
  int64_t step = 0;
  int64_t tokens = 0;
  int64_t position = 0;  // of the schedule
  double flops = 0;
  int n_threads = 1;
};

class TrainingObserver {
 public:
  // The output folder of the recipe exists (recipe::begin_stage). Opens the ledger row first: a run that is not in the ledger
  // does not start.
  static Result<std::unique_ptr<TrainingObserver>> start(const recipe::Recipe& recipe, const TrainingStart& start);

  // An error when log or events cannot be written. A ledger that cannot be written is said once and does not stop the run.
  Status on_step(const StepRecord& record);
  // Closes the row and draws <out>/curves.svg. state: finished, interrupted or failed with a reason. Without finish() the row
  // is closed as failed.
  Status finish(ledger::RunState state, std::string_view reason = "");

  int64_t run_id() const { return recorder_.id(); }
  const ledger::RunFigures& figures() const { return recorder_.figures(); }
  ProgressBar& progress() { return progress_; }

 private:
  TrainingObserver(const recipe::Recipe& recipe, const TrainingStart& start, ledger::Recorder recorder, RunLog log,
                   EventFile events);
  Status write(const StepRecord& record);
  void show(const StepRecord& record);

  std::string name_, out_;
  int64_t every_steps_;
  TrainingStart start_;
  ledger::Recorder recorder_;
  RunLog log_;
  EventFile events_;
  ProgressBar progress_;
  bool has_warned_ = false;
};

}  // namespace minke::cli
