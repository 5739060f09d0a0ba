// Speed of the float products at the shapes of training beside the multiply-add peak of the same seconds: forward, gradient of
// the input, gradient of the weight; dense, and grouped as the experts of a layer are; then single tokens and small matrices.
// Run: bench_products [dense grouped decode small ...] [--blas libopenblas.so.0] [--output rows.jsonl]
// --blas adds another library's products (cblas_sgemm; grouped: one after the other). Set OPENBLAS_NUM_THREADS to the threads
// of MINKE_THREADS. MINKE_ISA and MINKE_THREADS choose what is measured.
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/convert.h"
#include "kernels/matmul.h"
#include "kernels/probe.h"
#include "tensor/tensor.h"

namespace {

using namespace minke;

constexpr double kSecondsPerCase = 0.15;

using Sgemm = void (*)(int order, int trans_a, int trans_b, int m, int n, int k, float alpha, const float* a, int lda,
                       const float* b, int ldb, float beta, float* c, int ldc);

struct Bench {
  Context context;
  Sgemm sgemm = nullptr;
  std::FILE* output = nullptr;
  double gbps = 0;
};

std::vector<float> random_floats(int64_t n, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(static_cast<size_t>(n));
  for (float& value : values) value = uniform(random);
  return values;
}

double seconds_of(const std::function<void()>& run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

struct Seconds {
  double fastest, median;
};

Seconds measure(const std::function<void()>& run) {
  run();
  std::vector<double> times;
  for (double total = 0; total < kSecondsPerCase || times.size() < 3; total += times.back()) times.push_back(seconds_of(run));
  std::sort(times.begin(), times.end());
  return {times[0], times[times.size() / 2]};
}

// One line and, if asked for, one row: the probe ran before and after.
void report(const Bench& bench, const std::string& name, const char* product, const char* library, double operations,
            const std::function<void()>& run) {
  const double before = measure_fma_gflops(bench.context);
  const Seconds seconds = measure(run);
  const double peak = std::max(before, measure_fma_gflops(bench.context));
  const double best = operations / seconds.fastest * 1e-9, median = operations / seconds.median * 1e-9;
  fmt::print("{:<28} {:<9} {:<6} {:8.1f} GFLOP/s median, {:8.1f} best = {:3.0f}% of {:.0f}\n", name, product, library, median,
             best, 100 * best / peak, peak);
  if (bench.output == nullptr) return;
  fmt::print(bench.output,
             "{{\"name\":\"{} {}\",\"program\":\"{}\",\"unit\":\"GFLOP/s\",\"median\":{:.1f},\"best\":{:.1f},\"peak\":{:.1f},"
             "\"percent_of_peak\":{:.1f},\"isa\":\"{}\",\"threads\":{}}}\n",
             name, product, library, median, best, peak, 100 * best / peak, isa_name(bench.context.isa),
             bench.context.n_threads());
}

// `count` products of their own data: x [tokens, k], w [m, k], d_out [tokens, m].
struct Shape {
  int64_t count, tokens, m, k;
};

class Problem {
 public:
  explicit Problem(Shape shape)
      : shape_(shape),
        x_(random_floats(shape.count * shape.tokens * shape.k, 1)),
        w_(random_floats(shape.count * shape.m * shape.k, 2)),
        d_out_(random_floats(shape.count * shape.tokens * shape.m, 3)),
        out_(d_out_.size()),
        d_x_(x_.size()),
        d_w_(w_.size()) {
    for (int64_t i = 0; i < shape.count; i++) {
      weights_.push_back({.n_rows = shape.m, .n_cols = shape.k, .data = reinterpret_cast<const std::byte*>(&w_[at_w(i)])});
    }
    for (int64_t i = 0; i < shape.count; i++) {
      const Weight* w = &weights_[static_cast<size_t>(i)];
      forward_.push_back({{&out_[at_out(i)], shape.m}, {&x_[at_x(i)], shape.k}, w, shape.tokens, nullptr});
      back_.push_back({{&d_x_[at_x(i)], shape.k}, {&d_out_[at_out(i)], shape.m}, w, shape.tokens, nullptr});
      gradient_.push_back({{&d_w_[at_w(i)], shape.m, shape.k},
                           {&d_out_[at_out(i)], shape.m},
                           {&x_[at_x(i)], shape.k},
                           shape.tokens,
                           nullptr,
                           nullptr});
    }
  }

  void run(const Bench& bench, const std::string& name) {
    const double operations = 2.0 * static_cast<double>(shape_.count * shape_.tokens * shape_.m * shape_.k);
    const Context& context = bench.context;
    report(bench, name, "forward", "minke", operations, [&] { matmul_group(forward_, Accumulate::kOverwrite, context); });
    if (bench.sgemm != nullptr) report(bench, name, "forward", "blas", operations, [&] { blas_forward(bench.sgemm); });
    report(bench, name, "d_x", "minke", operations, [&] { matmul_transposed_group(back_, Accumulate::kOverwrite, context); });
    if (bench.sgemm != nullptr) report(bench, name, "d_x", "blas", operations, [&] { blas_back(bench.sgemm); });
    report(bench, name, "d_w", "minke", operations, [&] { matmul_gradient_group(gradient_, context); });
    if (bench.sgemm != nullptr) report(bench, name, "d_w", "blas", operations, [&] { blas_gradient(bench.sgemm); });
  }

 private:
  static constexpr int kRowMajor = 101, kPlain = 111, kTransposed = 112;
  size_t at_x(int64_t i) const { return static_cast<size_t>(i * shape_.tokens * shape_.k); }
  size_t at_w(int64_t i) const { return static_cast<size_t>(i * shape_.m * shape_.k); }
  size_t at_out(int64_t i) const { return static_cast<size_t>(i * shape_.tokens * shape_.m); }
  int n() const { return static_cast<int>(shape_.tokens); }
  int m() const { return static_cast<int>(shape_.m); }
  int k() const { return static_cast<int>(shape_.k); }

  void blas_forward(Sgemm sgemm) {
    for (int64_t i = 0; i < shape_.count; i++) {
      sgemm(kRowMajor, kPlain, kTransposed, n(), m(), k(), 1, &x_[at_x(i)], k(), &w_[at_w(i)], k(), 0, &out_[at_out(i)], m());
    }
  }
  void blas_back(Sgemm sgemm) {
    for (int64_t i = 0; i < shape_.count; i++) {
      sgemm(kRowMajor, kPlain, kPlain, n(), k(), m(), 1, &d_out_[at_out(i)], m(), &w_[at_w(i)], k(), 0, &d_x_[at_x(i)], k());
    }
  }
  void blas_gradient(Sgemm sgemm) {
    for (int64_t i = 0; i < shape_.count; i++) {
      sgemm(kRowMajor, kTransposed, kPlain, m(), k(), n(), 1, &d_out_[at_out(i)], m(), &x_[at_x(i)], k(), 1, &d_w_[at_w(i)],
            k());
    }
  }

  Shape shape_;
  std::vector<float> x_, w_, d_out_, out_, d_x_, d_w_;
  std::vector<Weight> weights_;
  std::vector<MatmulJob> forward_, back_;
  std::vector<GradientJob> gradient_;
};

void bench_dense(const Bench& bench) {
  for (int64_t tokens : {512, 2048}) {
    for (auto [m, k] : {std::pair<int64_t, int64_t>{256, 256}, {1024, 256}, {256, 1024}, {512, 512}, {1024, 1024}}) {
      Problem({1, tokens, m, k}).run(bench, fmt::format("dense {},{},{}", tokens, m, k));
    }
  }
}

void bench_grouped(const Bench& bench) {
  constexpr int64_t kExperts = 32;
  for (int64_t tokens : {16, 64, 128}) {
    for (auto [m, k] : {std::pair<int64_t, int64_t>{128, 256}, {256, 128}, {512, 256}}) {
      Problem({kExperts, tokens, m, k}).run(bench, fmt::format("grouped {}x {},{},{}", kExperts, tokens, m, k));
    }
  }
}

// One token: what counts is the weight's bytes. Enough copies of the weight that they come from memory, or one that stays.
void bench_decode(const Bench& bench) {
  for (DType dtype : {DType::kF32, DType::kBF16, DType::kF16, DType::kF8E4M3}) {
    for (auto [m, k] : {std::pair<int64_t, int64_t>{1536, 8960}, {8960, 1536}, {256, 256}}) {
      const size_t row = *row_bytes(dtype, k);
      const int64_t copies = m == 256 ? 1 : (int64_t{192} << 20) / (m * static_cast<int64_t>(row)) + 1;
      Tensor tensor(dtype, {copies * m, k});
      const std::vector<float> values = random_floats(k, 1);
      quantize_row(tensor.data(), dtype, values.data(), k);
      for (int64_t r = 1; r < copies * m; r++) std::copy_n(tensor.data(), row, tensor.data() + static_cast<size_t>(r) * row);
      const Weight all = *make_weight(tensor.view());
      const std::vector<float> x = random_floats(std::max(m, k), 2);
      for (int64_t n : {1, 4}) {
        std::vector<float> inputs = random_floats(n * std::max(m, k), 2), out(static_cast<size_t>(n * std::max(m, k)));
        for (bool transposed : {false, true}) {
          const Seconds seconds = measure([&] {
            for (int64_t c = 0; c < copies; c++) {
              const Weight w = all.slice_rows(c * m, m);
              transposed ? matmul_transposed(out.data(), inputs.data(), w, n, bench.context)
                         : matmul(out.data(), inputs.data(), w, n, bench.context);
            }
          });
          const double bytes = static_cast<double>(all.n_bytes());
          fmt::print("{:<12} {:<7} [{}, {}] n={} {:8.2f} us, {:6.1f} GB/s median, {:6.1f} best = {:3.0f}% of {:.1f}\n",
                     transposed ? "transposed" : "matmul", dtype_name(dtype), m, k, n,
                     seconds.median * 1e6 / static_cast<double>(copies), bytes / seconds.median * 1e-9,
                     bytes / seconds.fastest * 1e-9, 100 * bytes / seconds.fastest * 1e-9 / bench.gbps, bench.gbps);
        }
      }
    }
  }
}

// Parts of heads in wide rows, on one thread.
void bench_small(const Bench& bench) {
  const Bench single = {{nullptr, bench.context.isa}, nullptr, bench.output, 0};
  constexpr int64_t kStride = 1536;
  const std::vector<float> a = random_floats(256 * kStride, 1), b = random_floats(256 * kStride, 2);
  std::vector<float> out(256 * kStride);
  for (auto [n, m, k] : {std::array<int64_t, 3>{64, 64, 96}, {64, 96, 64}, {64, 64, 64}, {64, 192, 128}}) {
    const SmallShape shape = {n, m, k};
    const double operations = 2.0 * static_cast<double>(n * m * k) * 100;
    const std::string name = fmt::format("small {},{},{}", n, m, k);
    const Isa isa = single.context.isa;
    report(single, name, "forward", "minke", operations, [&] {
      for (int i = 0; i < 100; i++) {
        small_matmul({out.data(), kStride}, {a.data(), kStride}, {b.data(), kStride}, shape, Accumulate::kAdd, isa);
      }
    });
    report(single, name, "d_x", "minke", operations, [&] {
      for (int i = 0; i < 100; i++) {
        small_matmul_transposed({out.data(), kStride}, {a.data(), kStride}, {b.data(), kStride}, shape, Accumulate::kAdd, isa);
      }
    });
    report(single, name, "d_w", "minke", operations, [&] {
      for (int i = 0; i < 100; i++) {
        small_matmul_gradient({out.data(), kStride}, {a.data(), kStride}, {b.data(), kStride}, shape, Accumulate::kAdd, isa);
      }
    });
  }
}

Sgemm load_sgemm(const char* path) {
  void* library = ::dlopen(path, RTLD_NOW);
  return library == nullptr ? nullptr : reinterpret_cast<Sgemm>(::dlsym(library, "cblas_sgemm"));
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench;
  std::vector<std::string_view> names;
  for (int i = 1; i < argc; i++) {
    const std::string_view argument = argv[i];
    if (argument == "--blas" && i + 1 < argc) {
      bench.sgemm = load_sgemm(argv[++i]);
      if (bench.sgemm == nullptr) return fmt::print(stderr, "{}: no cblas_sgemm there: {}\n", argv[i], ::dlerror()), 1;
    } else if (argument == "--output" && i + 1 < argc) {
      bench.output = std::fopen(argv[++i], "a");
      if (bench.output == nullptr) return fmt::print(stderr, "{}: cannot be written\n", argv[i]), 1;
    } else {
      names.push_back(argument);
    }
  }
  auto isa = choose_isa();
  if (!isa) return fmt::print(stderr, "{}\n", isa.error().message), 1;
  const CpuInfo info = detect_cpu();
  const char* threads = std::getenv("MINKE_THREADS");
  ThreadPool pool(threads != nullptr ? std::clamp(std::atoi(threads), 1, 1024) : default_n_threads(info));
  bench.context = {&pool, *isa};
  fmt::print("{}, {}, {} threads\n", info.brand, isa_name(*isa), pool.n_threads());
  auto is_wanted = [&](std::string_view name) {
    return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
  };
  if (is_wanted("dense")) bench_dense(bench);
  if (is_wanted("grouped")) bench_grouped(bench);
  if (is_wanted("small")) bench_small(bench);
  if (is_wanted("decode")) {
    bench.gbps = measure_read_gbps(read_probe_bytes(info, 0), bench.context);
    bench_decode(bench);
  }
  if (bench.output != nullptr) std::fclose(bench.output);
  return 0;
}
