#include "serve/cost_meter.h"

#include <ctime>

#include "base/cpu_info.h"

namespace minke::serve {
namespace {

double seconds_of(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

}  // namespace

CostMeter::CostMeter(ledger::CostSettings settings, ledger::EnergyMeter meter)
    : settings_(std::move(settings)), meter_(std::move(meter)) {}

Result<CostMeter> CostMeter::create() {
  ledger::CostSettings settings = TRY(ledger::read_cost_settings());
  const CpuInfo cpu = detect_cpu();
  auto meter = ledger::EnergyMeter::start(settings.watts.value_or(ledger::default_watts(cpu)), cpu.n_logical_cpus);
  CostMeter out(std::move(settings), std::move(meter));
  out.lap();
  return out;
}

StepCost CostMeter::lap() {
  const ledger::Energy energy = meter_.read(seconds_of(CLOCK_PROCESS_CPUTIME_ID));
  const double now = seconds_of(CLOCK_MONOTONIC);
  const StepCost cost{energy.joules - last_joules_, now - last_s_, energy.source == ledger::EnergySource::kEstimated};
  last_joules_ = energy.joules;
  last_s_ = now;
  return cost;
}

std::optional<server::Money> CostMeter::money(const StepCost& cost) const {
  ledger::RunFigures figures;
  figures.wall_s = cost.wall_s;
  figures.energy_j = cost.joules;
  const auto amount = ledger::money_of(settings_.rates, figures);
  if (!amount) return std::nullopt;
  return server::Money{*amount, settings_.rates.currency};
}

}  // namespace minke::serve
