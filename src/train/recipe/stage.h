// The output folder of a stage says how far it is: recipe.json is there from the start, done.json at the end. So a pipeline
// that is started again skips what is done and resumes what is not, and never mixes two recipes in one folder.
#pragma once

#include <string>

#include "base/error.h"
#include "base/json.h"
#include "train/recipe/recipe.h"

namespace minke::recipe {

enum class StageState { kNew, kStarted, kDone };

// An error when the folder belongs to another recipe, or holds files that no recipe left there.
Result<StageState> stage_state(const Recipe& recipe);

// Makes the folder and writes recipe.json. For new stages.
Status begin_stage(const Recipe& recipe);

// Writes done.json with what the stage came to (an object: steps, tokens, loss ...).
Status finish_stage(const Recipe& recipe, Json figures);

}  // namespace minke::recipe
