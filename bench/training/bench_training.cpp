// Training steps on random tokens: bench_training CONFIG.json [ROWS [LENGTH [STEPS]]] prints the median of the steps, by part,
// beside the machine's f32 peak measured between the steps, and a JSON row.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/cpu_info.h"
#include "base/json.h"
#include "base/rng.h"
#include "kernels/probe.h"
#include "model/training/training_pass.h"
#include "train/loop/flops.h"
#include "train/optimizer/optimizer.h"
#include "train/parameters.h"

namespace minke {
namespace {

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<int64_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

TrainingRows random_rows(int64_t n_rows, int64_t length, int64_t vocab, uint64_t seed) {
  TrainingRows rows;
  const int64_t n = n_rows * length;
  for (int64_t i = 0; i < n; i++) {
    rows.tokens.push_back(static_cast<TokenId>(mix_seed(seed, static_cast<uint64_t>(2 * i)) % static_cast<uint64_t>(vocab)));
    rows.targets.push_back(
        static_cast<TokenId>(mix_seed(seed, static_cast<uint64_t>(2 * i + 1)) % static_cast<uint64_t>(vocab)));
  }
  rows.weights.assign(static_cast<size_t>(n), 1.0f / static_cast<float>(n));
  rows.piece_lengths.assign(static_cast<size_t>(n_rows), length);
  rows.row_lengths = rows.piece_lengths;
  return rows;
}

Status run(const std::string& config_path, int64_t n_rows, int64_t length, int n_steps) {
  ModelConfig config = TRY(read_hf_config(config_path));
  const CpuInfo cpu = detect_cpu();
  ThreadPool pool(default_n_threads(cpu));
  const Context context{&pool, TRY(choose_isa())};
  const std::unique_ptr<Model> model = Model::create(config);
  const std::unique_ptr<ParameterStore> store = TRY(ParameterStore::create(config, model->mutable_weights(), {}));
  store->initialize(1, 0.02, context);
  const std::unique_ptr<Optimizer> optimizer = TRY(Optimizer::create(store->parameters(), {}));
  TrainingPass pass = TRY(TrainingPass::create(*model));
  LossOptions options;
  options.n_rows = n_rows;
  options.mtp_lambda = config.n_mtp_layers > 0 ? 0.3 : 0;
  std::vector<double> forward, pass_s, update, peak, share;
  const double flops = TrainingFlops(config).of(std::vector<int64_t>(static_cast<size_t>(n_rows), length));
  auto now = [] { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); };
  for (int step = -1; step < n_steps; step++) {  // the first one touches the memory
    const TrainingRows rows = random_rows(n_rows, length, config.vocab_size, static_cast<uint64_t>(step + 2));
    const double gflops = measure_fma_gflops(context), a = now();
    TRY(pass.evaluate(rows, options, context));
    const double b = now();
    store->zero_grads(context);
    TRY(pass.run(rows, options, context));
    const double c = now();
    optimizer->step(1e-4, clip_scale(grad_norm(store->parameters(), context), 1.0), context);
    const double d = now();
    if (step < 0) continue;
    forward.push_back(b - a);
    pass_s.push_back(c - b);
    update.push_back(d - c);
    peak.push_back(gflops);
    share.push_back(flops / (d - b) / 1e9 / gflops);
  }
  const double step_s = median(pass_s) + median(update), n_tokens = static_cast<double>(n_rows * length);
  fmt::print(
      "step {:.1f} ms: forward {:.1f}, backward {:.1f}, optimizer {:.1f}; {:.0f} tokens/s, {:.1f} GFLOP/s of {:.0f}: {:.1f} "
      "%\n",
      1e3 * step_s, 1e3 * median(forward), 1e3 * (median(pass_s) - median(forward)), 1e3 * median(update), n_tokens / step_s,
      flops / step_s / 1e9, median(peak), 100 * median(share));
  const Json row = {{"bench", "training"},
                    {"config", config_path.substr(config_path.rfind('/') + 1)},
                    {"rows", n_rows},
                    {"length", length},
                    {"threads", context.n_threads()},
                    {"cpu", cpu.brand},
                    {"isa", isa_name(context.isa)},
                    {"mflop_per_token", flops / n_tokens / 1e6},
                    {"step_ms", 1e3 * step_s},
                    {"forward_ms", 1e3 * median(forward)},
                    {"optimizer_ms", 1e3 * median(update)},
                    {"tokens_per_s", n_tokens / step_s},
                    {"gflops", flops / step_s / 1e9},
                    {"peak_gflops", median(peak)},
                    {"share_of_peak", median(share)}};
  fmt::print("{}\n", dump_json(row));
  return {};
}

}  // namespace
}  // namespace minke

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: bench_training CONFIG.json [ROWS [LENGTH [STEPS]]]\n");
    return 2;
  }
  auto number = [&](int i, int otherwise) { return argc > i ? std::atoi(argv[i]) : otherwise; };
  const minke::Status status = minke::run(argv[1], number(2, 8), number(3, 256), number(4, 7));
  if (!status) fmt::print(stderr, "{}\n", status.error().message);
  return status ? 0 : 1;
}
