#include "base/cpu_info.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "support/support.h"

namespace minke::testing {
namespace {

void put(const TemporaryDirectory& root, const std::string& path, const std::string& text) {
  const std::filesystem::path full = root.path() / path;
  std::filesystem::create_directories(full.parent_path());
  std::ofstream(full) << text;
}

TEST(Isa, NamesRoundTrip) {
  for (Isa isa : {Isa::kRef, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Vnni, Isa::kAvx512Bf16, Isa::kAmx})
    EXPECT_EQ(isa_from_name(isa_name(isa)), isa);
  EXPECT_FALSE(isa_from_name("sse2").has_value());
  EXPECT_FALSE(isa_from_name("AVX2").has_value());
}

TEST(Isa, ChoiceIsTheBestOrWhatWasAskedFor) {
  EXPECT_EQ(value_of(choose_isa(nullptr, Isa::kAvx512)), Isa::kAvx512);
  EXPECT_EQ(value_of(choose_isa("", Isa::kAvx2)), Isa::kAvx2);
  EXPECT_EQ(value_of(choose_isa("ref", Isa::kAvx512)), Isa::kRef);
  EXPECT_EQ(value_of(choose_isa("avx512", Isa::kAvx512)), Isa::kAvx512);
}

TEST(Isa, UnknownAndMissingLevelsAreErrors) {
  EXPECT_ERROR(choose_isa("avx1024", Isa::kAvx512),
               "expected one of ref, avx2, avx512, avx512vnni, avx512bf16, amx; got \"avx1024\"");
  EXPECT_ERROR(choose_isa("avx512", Isa::kAvx2), "this machine lacks avx512");
}

TEST(Isa, AvailableLevelsEndWithTheBest) {
  const std::vector<Isa> isas = available_isas();
  EXPECT_EQ(isas.front(), Isa::kRef);
  EXPECT_EQ(isas.back(), best_isa());
#if defined(__x86_64__)
  EXPECT_EQ(best_isa() >= Isa::kAvx2, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
  EXPECT_EQ(best_isa() >= Isa::kAvx512,
            __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"));
#endif
}

TEST(CpuInfo, ThisMachineHasCoresAndMemory) {
  const CpuInfo info = detect_cpu();
  EXPECT_FALSE(info.brand.empty());
  EXPECT_GE(info.n_logical_cpus, info.n_physical_cores);
  EXPECT_GE(info.n_physical_cores, 1);
  EXPECT_GT(info.memory_bytes, int64_t{64} << 20);
}

TEST(CpuInfo, DefaultThreadsRespectTheQuota) {
  CpuInfo info;
  info.n_physical_cores = 8;
  EXPECT_EQ(default_n_threads(info), 8);
  info.cpu_quota = 2.9;
  EXPECT_EQ(default_n_threads(info), 2);
  info.cpu_quota = 0.5;
  EXPECT_EQ(default_n_threads(info), 1);
  info.cpu_quota = 64;
  EXPECT_EQ(default_n_threads(info), 8);
}

TEST(CpuQuota, Version2TakesTheTightestParent) {
  TemporaryDirectory root;
  put(root, "proc/self/cgroup", "0::/jobs/one\n");
  put(root, "sys/fs/cgroup/jobs/one/cpu.max", "max 100000\n");
  EXPECT_FALSE(read_cpu_quota(root.path().string()).has_value());
  put(root, "sys/fs/cgroup/jobs/cpu.max", "250000 100000\n");
  EXPECT_EQ(read_cpu_quota(root.path().string()), 2.5);
  put(root, "sys/fs/cgroup/jobs/one/cpu.max", "150000 100000\n");
  EXPECT_EQ(read_cpu_quota(root.path().string()), 1.5);
}

TEST(CpuQuota, Version2InsideAContainer) {
  TemporaryDirectory root;
  put(root, "proc/self/cgroup", "0::/\n");
  put(root, "sys/fs/cgroup/cpu.max", "400000 100000\n");
  EXPECT_EQ(read_cpu_quota(root.path().string()), 4.0);
}

TEST(CpuQuota, Version1) {
  TemporaryDirectory root;
  put(root, "proc/self/cgroup", "5:memory:/m\n4:cpu,cpuacct:/jobs\n3:cpuset:/s\n");
  put(root, "sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_quota_us", "300000\n");
  put(root, "sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(read_cpu_quota(root.path().string()), 3.0);
  put(root, "sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_quota_us", "-1\n");
  EXPECT_FALSE(read_cpu_quota(root.path().string()).has_value());
}

TEST(CpuQuota, DamagedFilesMeanNoQuota) {
  TemporaryDirectory root;
  EXPECT_FALSE(read_cpu_quota(root.path().string()).has_value());
  put(root, "proc/self/cgroup", "nonsense\n0::/x\n");
  put(root, "sys/fs/cgroup/x/cpu.max", "12 0\n");
  EXPECT_FALSE(read_cpu_quota(root.path().string()).has_value());
  put(root, "sys/fs/cgroup/x/cpu.max", "a b\n");
  EXPECT_FALSE(read_cpu_quota(root.path().string()).has_value());
}

TEST(PhysicalCores, HyperthreadsShareACore) {
  TemporaryDirectory root;
  for (int cpu = 0; cpu < 4; cpu++) {
    const std::string directory = fmt::format("sys/devices/system/cpu/cpu{}/topology/", cpu);
    put(root, directory + "physical_package_id", "0\n");
    put(root, directory + "core_id", fmt::format("{}\n", cpu % 2));
  }
  EXPECT_EQ(count_physical_cores({0, 1, 2, 3}, root.path().string()), 2);
  EXPECT_EQ(count_physical_cores({0, 2}, root.path().string()), 1);
  EXPECT_EQ(count_physical_cores({0, 7, 8}, root.path().string()), 3);  // 7 and 8 have no topology files
}

}  // namespace
}  // namespace minke::testing
