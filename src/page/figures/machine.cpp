#include "page/figures/machine.h"

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/cpu_info.h"
#include "measure/memory.h"

namespace minke::page {

Machine::Machine(std::function<LiveFigures()> live) : live_(std::move(live)), fixed_(std::make_unique<Json>()) {
  const CpuInfo cpu = detect_cpu();
  const Result<Isa> isa = choose_isa();
  memory_bytes_ = cpu.memory_bytes;
  *fixed_ = {{"cpu", cpu.brand},
             {"n_cores", cpu.n_logical_cpus},
             {"memory_bytes", cpu.memory_bytes},
             {"isa", isa_name(isa ? *isa : cpu.isa)}};
}

Machine::~Machine() = default;

Json Machine::now() const {
  Json out = *fixed_;
  if (const int64_t available = available_memory_bytes(); available > 0) {
    out["memory_used"] = std::max<int64_t>(0, memory_bytes_ - available);
  }
  double load = 0;
  if (::getloadavg(&load, 1) == 1) out["load"] = load;
  const LiveFigures live = live_ ? live_() : LiveFigures{};
  out["tokens_per_s_now"] = live.tokens_per_s;
  out["active_requests"] = live.n_active_requests;
  if (live.read_gb_s) out["read_gb_s"] = *live.read_gb_s;
  return out;
}

}  // namespace minke::page
