#include "ledger/run.h"

#include <array>

namespace minke::ledger {
namespace {

constexpr std::array<std::string_view, 5> kStateNames = {"running", "finished", "interrupted", "failed", "killed"};

constexpr double kSecondsPerHour = 3600;
constexpr double kJoulesPerKwh = 3.6e6;

}  // namespace

std::string_view state_name(RunState state) { return kStateNames[static_cast<size_t>(state)]; }

std::optional<RunState> state_from_name(std::string_view name) {
  for (size_t i = 0; i < kStateNames.size(); i++) {
    if (kStateNames[i] == name) return static_cast<RunState>(i);
  }
  return std::nullopt;
}

std::string_view energy_source_name(EnergySource source) {
  return source == EnergySource::kMeasured ? "measured" : "estimated";
}

std::optional<double> money_of(const Rates& rates, const RunFigures& figures) {
  if (!rates.any()) return std::nullopt;
  return rates.per_hour.value_or(0) * figures.wall_s / kSecondsPerHour +
         rates.per_kwh.value_or(0) * figures.energy_j / kJoulesPerKwh;
}

}  // namespace minke::ledger
