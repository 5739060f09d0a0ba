// Attention of one new token at several depths, all layers of a model, and of a prompt: milliseconds, GB/s of the cache,
// GFLOP/s (two for every multiply-add of a query with a key and of a weight with a value), beside the peaks of this machine.
// Run: bench_attention [name ...] [depth ...] (default: all of v2-lite, qwen2-1.5b, f32, f16, bf16, q8_0, prompt; 64 2048 8192
// 32768). MINKE_ISA and MINKE_THREADS choose what is measured.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdlib>
#include <numeric>
#include <random>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/attention/attention.h"
#include "kernels/probe.h"
#include "tensor/tensor.h"

namespace {

using namespace minke;

constexpr double kSecondsPerCase = 0.4;
constexpr int64_t kPrompt = 512;
constexpr const char* kTypeNames[] = {"f32", "f16", "bf16", "q8_0"};

struct Attention {
  const char* name;
  bool is_latent;
  int64_t n_layers, n_kv_heads, group, key_dim, rope_dim;
  KvLayout layout(KvType type) const {
    return is_latent ? make_latent_layout(type, key_dim, rope_dim) : make_head_layout(type, n_kv_heads, key_dim, key_dim);
  }
};
constexpr Attention kShapes[] = {{"qwen2-1.5b", false, 28, 2, 6, 128, 0}, {"v2-lite", true, 27, 1, 16, 512, 64}};

std::vector<float> random_floats(int64_t n, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(static_cast<size_t>(n));
  for (float& value : values) value = uniform(random);
  return values;
}

// A cache of all layers, filled.
class Cache {
 public:
  Cache(const Attention& shape, KvType type, int64_t n_tokens, const Context& context)
      : layout_(shape.layout(type)), n_pages_((n_tokens + kPageTokens - 1) / kPageTokens) {
    memory_ = Tensor(DType::kU8, {shape.n_layers * n_pages_ * page_bytes(layout_)});
    table_.resize(static_cast<size_t>(n_pages_));
    std::iota(table_.begin(), table_.end(), 0);
    const int64_t heads = layout_.n_heads;
    const std::vector<float> keys = random_floats(n_tokens * heads * (layout_.key_dim + layout_.rope_dim), 1);
    const std::vector<float> values =
        shape.is_latent ? std::vector<float>() : random_floats(n_tokens * heads * layout_.value_dim, 2);
    const CachedSequence sequence = {table_.data(), 0, n_tokens};
    for (int64_t l = 0; l < shape.n_layers; l++) {
      store_tokens(layer(l), {&sequence, 1}, keys.data(), shape.is_latent ? nullptr : values.data(), context);
    }
  }
  CachedLayer layer(int64_t layer) { return {layout_, memory_.data() + layer * n_pages_ * page_bytes(layout_)}; }
  const KvLayout& layout() const { return layout_; }
  const int32_t* table() const { return table_.data(); }

 private:
  KvLayout layout_;
  int64_t n_pages_;
  Tensor memory_;
  std::vector<int32_t> table_;
};

struct Seconds {
  double fastest, median;
};

Seconds seconds_of(const auto& run) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> seconds;
  run();
  for (double total = 0; total < kSecondsPerCase || seconds.size() < 5; total += seconds.back()) {
    const auto start = Clock::now();
    run();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::sort(seconds.begin(), seconds.end());
  return {seconds.front(), seconds[seconds.size() / 2]};
}

// n_new tokens that follow `depth` others, in all layers.
void bench(const Attention& shape, KvType type, int64_t depth, int64_t n_new, const Context& context) {
  Cache cache(shape, type, depth + n_new, context);
  const KvLayout& layout = cache.layout();
  const int64_t n_rows = n_new * shape.n_kv_heads * shape.group;
  const std::vector<float> queries = random_floats(n_rows * layout.key_cols, 3);
  std::vector<float> out(static_cast<size_t>(n_rows * layout.value_dim));
  const CachedSequence sequence = {cache.table(), depth, n_new};
  Arena arena;
  const Seconds seconds = seconds_of([&] {
    for (int64_t l = 0; l < shape.n_layers; l++) {
      arena.reset();
      attend(out.data(), queries.data(), cache.layer(l), {&sequence, 1}, shape.group, 0.1f, arena, context);
    }
  });
  const double n_keys = static_cast<double>(n_new * depth) + static_cast<double>(n_new * (n_new + 1)) / 2;
  const double flops = 2.0 * n_keys * static_cast<double>(shape.n_layers * shape.n_kv_heads * shape.group) *
                       static_cast<double>(shape.key_dim + shape.rope_dim + layout.value_dim);
  const double bytes = static_cast<double>(shape.n_layers * (depth + n_new) * page_bytes(layout)) / kPageTokens;
  fmt::print("{:<17} {:<5} depth {:>6} + {:<4} {:9.3f} ms (median {:8.3f}) {:6.1f} GB/s {:7.1f} GFLOP/s\n", shape.name,
             kTypeNames[static_cast<size_t>(type)], depth, n_new, seconds.fastest * 1e3, seconds.median * 1e3,
             bytes / seconds.fastest * 1e-9, flops / seconds.fastest * 1e-9);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<int64_t> depths;
  std::vector<std::string_view> names;
  for (int i = 1; i < argc; i++) {
    if (std::isdigit(static_cast<unsigned char>(argv[i][0])) != 0) {
      depths.push_back(std::atoll(argv[i]));
    } else {
      names.emplace_back(argv[i]);
    }
  }
  // Of several kinds of names each narrows its own kind.
  auto is_wanted = [&](std::string_view name, std::span<const char* const> kind) {
    auto is_named = [&](std::string_view one) { return std::find(names.begin(), names.end(), one) != names.end(); };
    return is_named(name) || std::none_of(kind.begin(), kind.end(), is_named);
  };
  constexpr const char* kShapeNames[] = {kShapes[0].name, kShapes[1].name};
  if (depths.empty()) depths = {64, 2048, 8192, 32768};
  auto isa = choose_isa();
  if (!isa) {
    fmt::print(stderr, "{}\n", isa.error().message);
    return 1;
  }
  const CpuInfo info = detect_cpu();
  const char* threads = std::getenv("MINKE_THREADS");
  ThreadPool pool(threads != nullptr ? std::clamp(std::atoi(threads), 1, 1024) : default_n_threads(info));
  const Context context = {&pool, *isa};
  const MachinePeaks peaks = measure_peaks(read_probe_bytes(info, 0), context);
  fmt::print("{}, {}, {} threads; peaks: {:.0f} GFLOP/s, {:.0f} GOP/s int8, {:.1f} GB/s read\n", info.brand, isa_name(*isa),
             pool.n_threads(), peaks.fma_gflops, peaks.int8_gops, peaks.read_gbps);
  for (const Attention& shape : kShapes) {
    for (KvType type : {KvType::kF32, KvType::kF16, KvType::kBF16, KvType::kQ8}) {
      if (!is_wanted(shape.name, kShapeNames) || !is_wanted(kTypeNames[static_cast<size_t>(type)], kTypeNames)) continue;
      for (int64_t depth : depths) bench(shape, type, depth, 1, context);
      if (names.empty() || std::find(names.begin(), names.end(), "prompt") != names.end())
        bench(shape, type, 0, kPrompt, context);
    }
  }
  return 0;
}
