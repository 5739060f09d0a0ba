// What the work of the engines costs on this machine, to be shared out among the requests that it was done for.
#pragma once

#include <cstdint>
#include <optional>

#include "base/error.h"
#include "ledger/energy.h"
#include "ledger/settings.h"
#include "server/model/reply_event.h"

namespace minke::serve {

struct StepCost {
  double joules = 0;
  double wall_s = 0;
  bool is_estimated = true;

  void add(const StepCost& other, double share) {
    joules += other.joules * share;
    wall_s += other.wall_s * share;
    is_estimated = other.is_estimated;
  }
};

// One user at a time: whoever computes.
class CostMeter {
 public:
  static Result<CostMeter> create();

  // Since the last call.
  StepCost lap();
  // None when no rate is configured.
  std::optional<server::Money> money(const StepCost& cost) const;

 private:
  CostMeter(ledger::CostSettings settings, ledger::EnergyMeter meter);

  ledger::CostSettings settings_;
  ledger::EnergyMeter meter_;
  double last_joules_ = 0, last_s_ = 0;
};

}  // namespace minke::serve
