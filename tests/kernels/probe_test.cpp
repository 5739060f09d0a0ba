#include "kernels/probe.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "kernels/cpu/dispatch.h"

namespace minke::testing {
namespace {

// What the loops return is zero when their results are not what so many steps give.
TEST(Probe, LoopsDoWhatTheyCount) {
  for (Isa isa : available_isas()) {
    if (isa == Isa::kRef) continue;
    const KernelTable& table = kernels(isa);
    const int64_t lanes = isa == Isa::kAvx2 ? 8 : 16;
    EXPECT_EQ(table.multiply_add_steps(100), 2 * 100 * 12 * lanes) << isa_name(isa);
    EXPECT_EQ(table.byte_dot_steps(100), 2 * 100 * (isa == Isa::kAvx2 ? 8 : 12) * 4 * lanes) << isa_name(isa);
    if (isa == Isa::kAvx512Bf16) {
      EXPECT_EQ(kAvx512Bf16Unit.pair_dot_steps(100), 2 * 100 * 16 * 2 * lanes);
    }
    if (isa == Isa::kAmx) {
      EXPECT_EQ(kAmxUnit.byte_dot_steps(100), 2 * 100 * 4 * 16 * 16 * 64);
    }
  }
}

TEST(Probe, StreamsAreReadWhole) {
  std::vector<uint32_t> words(16 * 64);
  std::iota(words.begin(), words.end(), 7u);
  const uint32_t expected = std::accumulate(words.begin(), words.end(), 0u);
  const auto n_bytes = static_cast<int64_t>(words.size() * sizeof(uint32_t));
  for (Isa isa : available_isas()) {
    if (isa == Isa::kRef) continue;
    for (int64_t n_streams : {1, 4, 16}) {
      const auto* data = reinterpret_cast<const uint8_t*>(words.data());
      EXPECT_EQ(kernels(isa).sum_streams(data, n_bytes / n_streams, n_streams), expected) << isa_name(isa) << n_streams;
    }
  }
}

TEST(Probe, SizeFollowsCacheAndMemory) {
  CpuInfo cpu;
  EXPECT_EQ(read_probe_bytes(cpu, 0), int64_t{256} << 20);
  cpu.l3_bytes = int64_t{100} << 20;
  EXPECT_EQ(read_probe_bytes(cpu, 0), int64_t{400} << 20);
  EXPECT_EQ(read_probe_bytes(cpu, int64_t{800} << 20), int64_t{200} << 20);
  cpu.l3_bytes = int64_t{1} << 30;
  EXPECT_EQ(read_probe_bytes(cpu, 0), int64_t{1} << 30);
}

TEST(Probe, RefHasNoPeaks) {
  MachinePeaks peaks = measure_peaks(1 << 20, Context{});
  EXPECT_EQ(peaks.fma_gflops + peaks.bf16_gflops + peaks.int8_gops + peaks.read_gbps, 0);
}

}  // namespace
}  // namespace minke::testing
