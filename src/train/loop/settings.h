// From the words of a recipe to what the parts of training take.
#pragma once

#include <string>

#include "data/loader.h"
#include "train/optimizer/optimizer.h"
#include "train/optimizer/schedule.h"
#include "train/optimizer/spike_guard.h"
#include "train/recipe/recipe.h"

namespace minke {

OptimizerOptions optimizer_options(const recipe::OptimizerPart& part);
SpikeGuardOptions spike_guard_options(const recipe::OptimizerPart& part);
// Of the learning rate, over tokens seen.
Schedule rate_schedule(const recipe::Recipe& recipe);

// Values that a recipe changes with the tokens seen.
int64_t rows_at(const recipe::Recipe& recipe, int64_t tokens);  // of the next step
double mtp_lambda_at(const recipe::Recipe& recipe, int64_t tokens);
double bias_update_speed_at(const recipe::Recipe& recipe, int64_t tokens);

enum class DataRole { kTraining, kValidation };
DataOptions data_options(const recipe::Recipe& recipe, DataRole role, int64_t vocab_size, const std::string& tokenizer_digest);

}  // namespace minke
