// What a stage of a recipe says of itself to the ledger.
#pragma once

#include "base/error.h"
#include "ledger/recorder.h"
#include "train/recipe/recipe.h"

namespace minke::cli {

// The recipe's own price and watts go over the machine's.
Result<ledger::RunRequest> run_request(const recipe::Recipe& recipe, bool resumes, int n_threads);

}  // namespace minke::cli
