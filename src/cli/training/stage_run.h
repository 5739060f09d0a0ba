// One stage of a recipe from where it stands to its end: its folder, its checkpoints, its row in the ledger.
#pragma once

#include "base/error.h"
#include "cli/model_argument.h"
#include "train/loop/training_run.h"
#include "train/recipe/recipe.h"

namespace minke::cli {

struct StageResult {
  StepRecord last;  // step 0: nothing was left to do
  RunEnd end = RunEnd::kFinished;
};

// A stage that is finished is skipped, one that was stopped goes on. Ctrl-C stops it with a checkpoint.
Result<StageResult> run_stage(const recipe::Recipe& recipe, const RunSetup& setup, const Machine& machine);

}  // namespace minke::cli
