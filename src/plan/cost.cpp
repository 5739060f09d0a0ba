#include "plan/cost.h"

#include <algorithm>
#include <cmath>

namespace minke::plan {

double capital_recovery(double interest, double years) {
  return interest == 0 ? 1 / years : interest / (1 - std::pow(1 + interest, -years));
}

UsdPerS ownership_rate(const Ownership& o) {
  constexpr double kHoursPerYear = 8760;
  Usd invested = o.purchase * (1 + o.extra_share);
  Usd yearly = invested * (capital_recovery(o.interest, o.years) + o.upkeep_share);
  return yearly / hours(kHoursPerYear * o.utilisation) + o.watts * o.pue * o.electricity;
}

Joules energy_used(Seconds device_time, Watts watts, double load, double pue) { return device_time * watts * load * pue; }

double tonnes_co2(Joules energy, double kg_per_kwh) { return in_kwh(energy) * kg_per_kwh / 1000; }

Seconds job_mtbf(const Reliability& r, double n_devices) { return r.device_mtbf / n_devices; }

Seconds checkpoint_interval(const Reliability& r, double n_devices) {
  return Seconds(std::sqrt(2 * r.save.value() * job_mtbf(r, n_devices).value()));
}

double goodput(const Reliability& r, double n_devices) {
  Seconds mtbf = job_mtbf(r, n_devices), interval = checkpoint_interval(r, n_devices);
  double saving = interval.value() > 0 ? r.save / interval : 0;
  return std::max(0.0, 1 - saving - interval / (2 * mtbf) - r.restart / mtbf);
}

double tokens_per_step(double p, double n) { return p >= 1 ? n + 1 : (1 - std::pow(p, n + 1)) / (1 - p); }

double speculation_gain(double tokens, double n_drafts, double overhead) { return tokens / (1 + overhead * n_drafts); }

}  // namespace minke::plan
