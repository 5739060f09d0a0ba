#include "ledger/energy.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace minke::ledger {
namespace {

namespace fs = std::filesystem;

constexpr double kWattsPerCore = 8;

std::optional<uint64_t> read_number(const std::string& path) {
  std::ifstream stream(path);
  uint64_t value = 0;
  if (!(stream >> value)) return std::nullopt;
  return value;
}

std::string read_word(const std::string& path) {
  std::ifstream stream(path);
  std::string word;
  stream >> word;
  return word;
}

}  // namespace

double default_watts(const CpuInfo& cpu) { return kWattsPerCore * cpu.n_physical_cores; }

std::optional<EnergyMeter::Zone> EnergyMeter::read_zone(const std::string& folder) {
  auto now = read_number(folder + "/energy_uj");
  auto range = read_number(folder + "/max_energy_range_uj");
  if (!now || !range) return std::nullopt;
  return Zone{folder + "/energy_uj", *now, *range};
}

EnergyMeter EnergyMeter::start(double watts, int n_cpus, const std::string& root) {
  std::vector<Zone> zones;
  std::error_code failed;
  bool readable = true;
  // intel-rapl:0 is a package, intel-rapl:0:1 a part of it. Parts other than memory are in the package's figure already, psys
  // holds the packages, and intel-rapl-mmio shows the same counters a second time.
  for (const auto& entry : fs::directory_iterator(root + "/sys/class/powercap", failed)) {
    std::string zone = entry.path().filename().string();
    if (!zone.starts_with("intel-rapl:")) continue;
    std::string name = read_word(entry.path().string() + "/name");
    if (!name.starts_with("package") && name != "dram") continue;
    auto read = read_zone(entry.path().string());
    if (read) zones.push_back(*read);
    readable = readable && read.has_value();
  }
  if (failed || !readable) zones.clear();  // a part of the packages would look like a measurement of all
  return EnergyMeter(watts, std::max(1, n_cpus), std::move(zones));
}

Energy EnergyMeter::read(double cpu_s) {
  for (Zone& zone : zones_) {
    auto now = read_number(zone.path);
    if (!now) {
      zones_.clear();  // the counters are gone: the whole run is estimated, not half of it
      break;
    }
    uint64_t used = *now >= zone.last_uj ? *now - zone.last_uj : zone.range_uj - zone.last_uj + *now;
    measured_uj_ += static_cast<double>(used);
    zone.last_uj = *now;
  }
  if (!zones_.empty()) return {measured_uj_ * 1e-6, EnergySource::kMeasured};
  return {watts_ * cpu_s / n_cpus_, EnergySource::kEstimated};
}

}  // namespace minke::ledger
