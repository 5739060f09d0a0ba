// One stage of a recipe from where it stands to its end: its folder, its checkpoints, its row in the ledger.
#pragma once

#include <nlohmann/json.hpp>
#include <span>

#include "base/error.h"
#include "base/json.h"
#include "cli/model_argument.h"
#include "train/loop/training_run.h"
#include "train/recipe/recipe.h"

namespace minke::cli {

struct StageResult {
  Json figures;  // what the stage came to, or stands at; null: nothing was left to do
  RunEnd end = RunEnd::kFinished;
};

// A stage that is finished is skipped, one that was stopped goes on. Ctrl-C stops it with a checkpoint. `pipeline` has all
// stages of the recipe's file.
Result<StageResult> run_stage(const recipe::Recipe& recipe, std::span<const recipe::Recipe> pipeline, const RunSetup& setup,
                              const Machine& machine);

}  // namespace minke::cli
