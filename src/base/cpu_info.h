// What this machine is: instruction sets (cpuid, with the operating system's consent by xgetbv), cores that we may use
// (affinity mask, cgroup quota), caches, memory. Everything is read once by detect_cpu(); nothing is kept in globals.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace minke {

// Each level contains the ones before it.
enum class Isa : uint8_t {
  kRef,         // scalar definition, any x86-64
  kAvx2,        // AVX2, FMA, F16C
  kAvx512,      // AVX-512 F, BW, VL, DQ
  kAvx512Vnni,  // and AVX-512 VNNI
  kAvx512Bf16,  // and AVX-512 BF16
  kAmx,         // and AMX-INT8, allowed by the operating system
};

std::string_view isa_name(Isa isa);  // ref, avx2, avx512, avx512vnni, avx512bf16, amx
std::optional<Isa> isa_from_name(std::string_view name);
std::string isa_names();  // "ref, avx2, ...", for messages

// The highest level that CPU and operating system support. Asks Linux for the tiles of AMX where the CPU has them.
Isa best_isa();
// Every level that this machine runs, lowest first.
std::vector<Isa> available_isas();

// The level named by the environment variable MINKE_ISA, else the best one. An unknown name and a level that this machine
// lacks are errors: a silent fallback would falsify every measurement.
Result<Isa> choose_isa();
// The same decision for a given value; nullptr means "not set".
Result<Isa> choose_isa(const char* wanted, Isa best);

struct CpuInfo {
  std::string brand;
  Isa isa = Isa::kRef;              // the best level
  int n_logical_cpus = 1;           // in the affinity mask of this process
  int n_physical_cores = 1;         // distinct cores behind them
  std::optional<double> cpu_quota;  // of the control group, in CPUs
  int64_t l1d_bytes = 0;            // per core; 0 = unknown
  int64_t l2_bytes = 0;
  int64_t l3_bytes = 0;  // of the last level that the first core sees
  int64_t memory_bytes = 0;
};
CpuInfo detect_cpu();

// Threads that make sense by default: physical cores we may use, not more than the quota (rounded down), at least 1.
int default_n_threads(const CpuInfo& info);

// The parts below take the root of the file system, so that tests can hand in their own /proc and /sys.

// CPUs allowed by the control group of this process and its parents (v2 cpu.max, v1 cpu.cfs_quota_us); none = unlimited.
std::optional<double> read_cpu_quota(const std::string& root);
// How many different (package, core) pairs the CPUs belong to; CPUs without topology files count as cores of their own.
int count_physical_cores(const std::vector<int>& cpus, const std::string& root);

}  // namespace minke
