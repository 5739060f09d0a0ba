// Money, energy, failures: the arithmetic that turns hours into what a run, a programme and a fleet cost.
#pragma once

#include "plan/units.h"

namespace minke::plan {

// Owned hardware as an hourly rate, per device.
struct Ownership {
  Usd purchase;               // of a device with its share of server
  double extra_share = 0.25;  // network and building, of the purchase
  double years = 4;
  double interest = 0;         // a year
  double upkeep_share = 0.05;  // a year, of the purchase with its extra
  double utilisation = 1;      // share of hours that somebody uses
  Watts watts;
  double pue = 1.25;  // power of the building over that of its computers
  UsdPerJ electricity;
};
// Share of a sum that is paid each year to pay it off with interest: r / (1 - (1 + r)^-n), or 1/n without interest.
double capital_recovery(double interest, double years);
UsdPerS ownership_rate(const Ownership& ownership);

Joules energy_used(Seconds device_time, Watts watts, double load, double pue);
double tonnes_co2(Joules energy, double kg_per_kwh);

struct Reliability {
  Seconds device_mtbf;  // between failures of one device, with its share of everything else
  Seconds save;         // that a checkpoint stops the run
  Seconds restart;      // from a failure to the first new step
};
Seconds job_mtbf(const Reliability& reliability, double n_devices);
// The interval that loses least: sqrt(2 x save x MTBF of the job).
Seconds checkpoint_interval(const Reliability& reliability, double n_devices);
// Share of the time that makes progress.
double goodput(const Reliability& reliability, double n_devices);

// Tokens for each step of speculative decoding when each of n drafts is accepted with probability p and a rejected one ends it.
double tokens_per_step(double acceptance, double n_drafts);
double speculation_gain(double tokens_per_step, double n_drafts, double overhead_per_draft);

}  // namespace minke::plan
