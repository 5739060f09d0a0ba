#include "kernels/probe.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <vector>

#include "base/check.h"
#include "kernels/cpu/dispatch.h"

namespace minke {
namespace {

constexpr int kRepeats = 5;
constexpr int64_t kMinReadBytes = int64_t{256} << 20, kMaxReadBytes = int64_t{1} << 30;

template <typename Run>
double seconds_of(Run run) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  run();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Of loops in registers the fastest counts: a peak is what undisturbed runs reach.
double measure_steps(int64_t (*steps)(int64_t n_steps), const Context& context) {
  constexpr int64_t kSteps = 5'000'000;  // some 20 ms
  double best = 0;
  for (int i = 0; i < kRepeats; i++) {
    std::atomic<int64_t> n_operations{0};
    const double seconds = seconds_of(
        [&] { context.parallel_for(context.n_threads(), 1, [&](int64_t, int64_t) { n_operations += steps(kSteps); }); });
    best = std::max(best, static_cast<double>(n_operations.load()) / seconds * 1e-9);
  }
  return best;
}

// Anonymous memory in pages of 2 MiB where the system has them: with small ones the probe would measure the TLB.
class HugeBuffer {
 public:
  explicit HugeBuffer(int64_t n_bytes) : size_(static_cast<size_t>(n_bytes) + kHugePage) {
    memory_ = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory_ != MAP_FAILED, "out of memory for a probe of {} bytes", n_bytes);
    const auto address = (reinterpret_cast<uintptr_t>(memory_) + kHugePage - 1) / kHugePage * kHugePage;
    data_ = reinterpret_cast<uint8_t*>(address);
    ::madvise(data_, static_cast<size_t>(n_bytes), MADV_HUGEPAGE);
  }
  ~HugeBuffer() { ::munmap(memory_, size_); }
  HugeBuffer(const HugeBuffer&) = delete;
  HugeBuffer& operator=(const HugeBuffer&) = delete;

  uint8_t* data() { return data_; }

 private:
  static constexpr size_t kHugePage = size_t{2} << 20;
  size_t size_;
  void* memory_;
  uint8_t* data_;
};

}  // namespace

double measure_fma_gflops(const Context& context) {
  return context.isa == Isa::kRef ? 0 : measure_steps(kernels(context.isa).multiply_add_steps, context);
}

double measure_bf16_gflops(const Context& context) {
  if (context.isa < Isa::kAvx512Bf16) return measure_fma_gflops(context);
  return measure_steps(kAvx512Bf16Unit.pair_dot_steps, context);
}

double measure_int8_gops(const Context& context) {
  if (context.isa == Isa::kRef) return 0;
  return measure_steps(context.isa == Isa::kAmx ? kAmxUnit.byte_dot_steps : kernels(context.isa).byte_dot_steps, context);
}

// How many places memory is best read at in turn differs between machines, by up to a fifth: the best of the medians.
double measure_read_gbps(int64_t n_bytes, const Context& context) {
  if (context.isa == Isa::kRef) return 0;
  constexpr std::array<int64_t, 3> kStreams = {1, 4, 16};
  constexpr int64_t kUnit = 16 * 4096;  // divides into streams of whole pages
  const KernelTable& table = kernels(context.isa);
  const int64_t n_units = std::max(n_bytes / kUnit, int64_t{1});
  HugeBuffer buffer(n_units * kUnit);
  context.parallel_for(n_units, 1, [&](int64_t begin, int64_t end) {
    std::fill(buffer.data() + begin * kUnit, buffer.data() + end * kUnit, uint8_t{1});
  });
  std::array<std::vector<double>, kStreams.size()> seconds;
  std::atomic<uint32_t> sum{0};
  for (int i = 0; i < kRepeats; i++) {
    for (size_t k = 0; k < kStreams.size(); k++) {
      seconds[k].push_back(seconds_of([&] {
        context.parallel_for(n_units, 1, [&](int64_t begin, int64_t end) {
          sum += table.sum_streams(buffer.data() + begin * kUnit, (end - begin) * kUnit / kStreams[k], kStreams[k]);
        });
      }));
    }
  }
  // Words of four ones, summed modulo 2^32: what was not read would be missing.
  const auto n_words = static_cast<uint32_t>(n_units * kUnit / 4 * kRepeats * static_cast<int64_t>(kStreams.size()));
  CHECK(sum == n_words * 0x01010101u, "the read probe summed {}", sum.load());
  double best = 0;
  for (std::vector<double>& times : seconds) {
    std::nth_element(times.begin(), times.begin() + kRepeats / 2, times.end());
    best = std::max(best, static_cast<double>(n_units * kUnit) / times[kRepeats / 2] * 1e-9);
  }
  return best;
}

int64_t read_probe_bytes(const CpuInfo& cpu, int64_t available_bytes) {
  const int64_t n_bytes = std::clamp(4 * cpu.l3_bytes, kMinReadBytes, kMaxReadBytes);
  return available_bytes > 0 ? std::min(n_bytes, available_bytes / 4) : n_bytes;
}

MachinePeaks measure_peaks(int64_t read_bytes, const Context& context) {
  return {measure_fma_gflops(context), measure_bf16_gflops(context), measure_int8_gops(context),
          measure_read_gbps(read_bytes, context)};
}

}  // namespace minke
