// Speed of the products beside the measured peaks of this machine. One line per (dtype, n_tokens):
//   GFLOP/s and its share of the multiply-add peak; GB/s of weight bytes and its share of the read peak.
// Run: bench_kernels [rows cols] (default 4096 7168). MINKE_ISA and MINKE_THREADS choose what is measured.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "base/context.h"
#include "kernels/convert.h"
#include "kernels/matmul.h"
#include "kernels/probe.h"

namespace {

using namespace minke;

constexpr double kSecondsPerCase = 0.5;
constexpr DType kDTypes[] = {DType::kF32, DType::kBF16, DType::kF16, DType::kF8E4M3, DType::kQ8_0};
constexpr int64_t kTokenCounts[] = {1, 8, 64, 512};

struct Peaks {
  double gflops, gbps;
};

std::vector<float> random_floats(int64_t n, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(static_cast<size_t>(n));
  for (float& value : values) value = uniform(random);
  return values;
}

// Weights that together exceed the caches, so that n = 1 reads memory.
Tensor random_weights(DType dtype, int64_t rows, int64_t cols) {
  Tensor tensor(dtype, {rows, cols});
  const std::vector<float> row = random_floats(cols, 1);
  const size_t bytes = *row_bytes(dtype, cols);
  for (int64_t r = 0; r < rows; r++) quantize_row(tensor.data() + static_cast<size_t>(r) * bytes, dtype, row.data(), cols);
  return tensor;
}

// The fastest run, as for the peaks: both say what the machine does when nothing disturbs it.
template <typename Run>
double fastest_seconds(Run run) {
  using Clock = std::chrono::steady_clock;
  double fastest = 1e30;
  run();
  for (double total = 0; total < kSecondsPerCase;) {
    const auto start = Clock::now();
    run();
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    fastest = std::min(fastest, seconds);
    total += seconds;
  }
  return fastest;
}

void report(const char* what, DType dtype, int64_t n, double flops, double bytes, double seconds, Peaks peaks) {
  const double gflops = flops / seconds * 1e-9, gbps = bytes / seconds * 1e-9;
  fmt::print("{:<18} {:<7} n={:<4} {:9.3f} ms {:8.1f} GFLOP/s {:4.0f}% {:7.1f} GB/s {:4.0f}%\n", what, dtype_name(dtype), n,
             seconds * 1e3, gflops, 100 * gflops / peaks.gflops, gbps, 100 * gbps / peaks.gbps);
}

void bench_dtype(DType dtype, int64_t rows, int64_t cols, Peaks peaks, const Context& context) {
  const Tensor tensor = random_weights(dtype, rows, cols);
  const Weight weight = *make_weight(tensor.view());
  for (int64_t n : kTokenCounts) {
    const double flops = 2.0 * static_cast<double>(n * rows * cols);
    const double bytes = static_cast<double>(weight.n_bytes());
    const std::vector<float> x = random_floats(n * std::max(rows, cols), 2);
    std::vector<float> out(static_cast<size_t>(n * std::max(rows, cols)));
    report("matmul", dtype, n, flops, bytes, fastest_seconds([&] { matmul(out.data(), x.data(), weight, n, context); }), peaks);
    report("matmul_transposed", dtype, n, flops, bytes,
           fastest_seconds([&] { matmul_transposed(out.data(), x.data(), weight, n, context); }), peaks);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int64_t rows = argc > 2 ? std::atoll(argv[1]) : 4096;
  const int64_t cols = argc > 2 ? std::atoll(argv[2]) : 7168;
  auto isa = choose_isa();
  if (!isa || rows <= 0 || cols <= 0 || cols % 32 != 0) {
    fmt::print(stderr, "{}\n", isa ? "rows and cols must be positive, cols a multiple of 32" : isa.error().message);
    return 1;
  }
  const CpuInfo info = detect_cpu();
  const char* threads = std::getenv("MINKE_THREADS");
  ThreadPool pool(threads != nullptr ? std::clamp(std::atoi(threads), 1, 1024) : default_n_threads(info));
  const Context context = {&pool, *isa};
  const Peaks peaks = {measure_fma_gflops(context), measure_read_gbps(int64_t{1} << 29, context)};
  fmt::print("{}, {}, {} threads; peaks: {:.0f} GFLOP/s, {:.1f} GB/s read; w [{}, {}]\n", info.brand, isa_name(*isa),
             pool.n_threads(), peaks.gflops, peaks.gbps, rows, cols);
  for (DType dtype : kDTypes) bench_dtype(dtype, rows, cols, peaks, context);
  return 0;
}
