#include "kernels/probe.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <vector>

#include "kernels/cpu/dispatch.h"

namespace minke {
namespace {

constexpr int kRepeats = 5;  // the fastest counts: a peak is what undisturbed runs reach

template <typename Run>
double fastest_seconds(Run run) {
  using Clock = std::chrono::steady_clock;
  double fastest = 1e30;
  for (int i = 0; i < kRepeats; i++) {
    const auto start = Clock::now();
    run();
    fastest = std::min(fastest, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return fastest;
}

}  // namespace

double measure_peak_gflops(const Context& context) {
  if (context.isa == Isa::kRef) return 0;
  constexpr int64_t kSteps = 1'000'000;
  const KernelTable& table = kernels(context.isa);
  std::atomic<int64_t> flops{0};
  const double seconds = fastest_seconds([&] {
    flops = 0;
    context.parallel_for(context.n_threads(), 1, [&](int64_t, int64_t) { flops += table.multiply_add_steps(kSteps); });
  });
  return static_cast<double>(flops.load()) / seconds * 1e-9;
}

double measure_read_gbps(int64_t n_bytes, const Context& context) {
  if (context.isa == Isa::kRef) return 0;
  constexpr int64_t kRows = 4;  // streams that one thread reads side by side, as matmul does
  const KernelTable& table = kernels(context.isa);
  const int64_t n_panels = std::max(n_bytes / (kRows * kDotBlock * static_cast<int64_t>(sizeof(float))), int64_t{1});
  const std::vector<float> x(kDotBlock, 1.0f), data(static_cast<size_t>(n_panels * kRows * kDotBlock), 1.0f);
  std::atomic<int64_t> n_wrong{0};
  const double seconds = fastest_seconds([&] {
    context.parallel_for(n_panels, 1, [&](int64_t begin, int64_t end) {
      const int64_t stride = (end - begin) * kDotBlock, stride_bytes = stride * static_cast<int64_t>(sizeof(float));
      for (int64_t i = 0; i < end - begin; i++) {
        const float* start = data.data() + begin * kRows * kDotBlock + i * kDotBlock;
        float sums[kRows];
        table.dot_f32(sums, kRows, x.data(), kDotBlock, 1, reinterpret_cast<const uint8_t*>(start), stride_bytes, kRows,
                      kDotBlock, Accumulate::kOverwrite);
        if (sums[0] != kDotBlock || sums[3] != kDotBlock) n_wrong++;  // the results are used, so the reads stay
      }
    });
  });
  return n_wrong == 0 ? static_cast<double>(n_panels * kRows * kDotBlock) * sizeof(float) / seconds * 1e-9 : 0;
}

}  // namespace minke
