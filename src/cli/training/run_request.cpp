#include "cli/training/run_request.h"

#include "cli/commit.h"
#include "ledger/settings.h"

namespace minke::cli {

Result<ledger::RunRequest> run_request(const recipe::Recipe& recipe, bool resumes, int n_threads) {
  ledger::CostSettings settings = TRY(ledger::read_cost_settings());
  ledger::RunRequest request;
  request.kind = recipe::recipe_kind_name(recipe.kind);
  request.name = recipe.name;
  request.programme = recipe.programme;
  request.commit = kCommit;
  request.recipe_hash = recipe.hash;
  request.parent_checkpoint = recipe.parent;
  request.out = recipe.out;
  request.resumes = resumes;
  request.n_threads = n_threads;
  request.rates = settings.rates;
  if (recipe.cost.money_per_hour > 0) request.rates = {recipe.cost.money_per_hour, {}, recipe.cost.currency};
  request.watts = recipe.cost.watts > 0 ? recipe.cost.watts : settings.watts.value_or(0);
  return request;
}

}  // namespace minke::cli
