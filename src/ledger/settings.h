// What a run costs on this machine: the user's own rates and the power of the CPU.
#pragma once

#include <optional>
#include <string>

#include "base/error.h"
#include "ledger/run.h"

namespace minke::ledger {

struct CostSettings {
  Rates rates;
  std::optional<double> watts;  // of the CPUs that we may use, at full load; for the energy estimate
};

// $XDG_CONFIG_HOME/minke/cost.json, else ~/.config/minke/cost.json:
//   {"money_per_hour": 0.12, "money_per_kwh": 0.31, "currency": "EUR", "watts": 120}
// with the environment over it: MINKE_MONEY_PER_HOUR, MINKE_MONEY_PER_KWH, MINKE_CURRENCY, MINKE_WATTS. Nothing is set by
// default. A rate without a currency, an unknown key and a number that is not finite or below 0 are errors.
Result<CostSettings> read_cost_settings();

}  // namespace minke::ledger
