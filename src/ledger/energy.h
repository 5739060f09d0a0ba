// Energy of a run: Intel's and AMD's RAPL counters where the kernel shows them to us, else an estimate that is marked as one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/cpu_info.h"
#include "ledger/run.h"

namespace minke::ledger {

// The power of the CPUs that we may use, when nobody configured one: 8 W for each physical core. Published TDPs per core lie
// between 3 W (EPYC 9965: 500 W, 192 cores) and 11 W (Ryzen 9 9950X: 170 W, 16 cores), and no interface tells which.
double default_watts(const CpuInfo& cpu);

struct Energy {
  double joules = 0;
  EnergySource source = EnergySource::kEstimated;
};

class EnergyMeter {
 public:
  // watts: of n_cpus logical CPUs at full load, for the estimate. `root` is the root of the file system, for tests.
  static EnergyMeter start(double watts, int n_cpus, const std::string& root = "");

  // Since start. The estimate is watts x cpu_s / n_cpus: idle power and memory are not in it. Measured counters run over (in
  // about 40 minutes at 100 W), so read at least every few minutes.
  Energy read(double cpu_s);

 private:
  struct Zone {
    std::string path;
    uint64_t last_uj;
    uint64_t range_uj;  // the counter starts again at 0 after this value
  };
  EnergyMeter(double watts, int n_cpus, std::vector<Zone> zones) : watts_(watts), n_cpus_(n_cpus), zones_(std::move(zones)) {}
  static std::optional<Zone> read_zone(const std::string& folder);
  double watts_;
  int n_cpus_;
  std::vector<Zone> zones_;  // empty: nothing to read
  double measured_uj_ = 0;
};

}  // namespace minke::ledger
