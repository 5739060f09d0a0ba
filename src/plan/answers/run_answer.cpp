#include "plan/answers/run_answer.h"

#include <array>

#include "plan/answers/train_answer.h"
#include "plan/shape/compute.h"
#include "plan/shape/parameters.h"

namespace minke::plan {
namespace {

constexpr std::array<Corner, 3> kCorners = {Corner::kLow, Corner::kLikely, Corner::kHigh};

// Where no context is asked for: the prompt that minke bench reads.
constexpr double kPromptTokens = 512;

RunAnswer on_own_machine(const RunQuestion& q, const OwnMachine& own, const Tables& tables) {
  const ModelParameters p = model_parameters(q.model.config);
  OwnToken token{.weights = Bytes(q.model.read_bytes),
                 .cache = kv_bytes_per_token(q.model.config, 2) * Tokens(q.context),
                 .products = Flops(q.model.token_operations),
                 .dense_layers = static_cast<double>(p.n_dense_layers),
                 .moe_layers = static_cast<double>(p.n_moe_layers)};
  RunAnswer a;
  a.prompt_tokens = q.context > 0 ? q.context : kPromptTokens;
  // Half of a prompt is seen on average.
  OwnPrompt prompt{.products = Flops(q.model.operations),
                   .experts = Flops(q.model.expert_operations),
                   .attention = attention_flops(q.model.config, a.prompt_tokens / 2) * Tokens(1)};
  OwnPeaks peaks{gigabytes_per_s(own.read_gb_per_s), FlopsPerS(own.compute_gops * 1e9), FlopsPerS(own.f32_gflops * 1e9),
                 q.model.arithmetic};
  a.memory_bytes = q.model.weight_bytes + token.cache.value();
  a.usable_bytes = own.usable_bytes;
  a.has_prefill = own.compute_gops > 0;
  a.working.input("reading", fmt::format("{:.4g} GB/s", own.read_gb_per_s), own.source);
  if (a.has_prefill) {
    a.working.input("computing", fmt::format("{:.4g} GOP/s in {}", own.compute_gops, arithmetic_name(q.model.arithmetic)),
                    own.source);
  }
  if (own.f32_gflops > 0) a.working.input("computing attention", fmt::format("{:.4g} GFLOP/s", own.f32_gflops), own.source);
  std::array<double, 3> decode{}, prefill{};
  for (size_t i = 0; i < kCorners.size(); i++) {
    bool is_likely = kCorners[i] == Corner::kLikely;
    Working unused;
    LocalRates rates = own_rates(peaks, tables, kCorners[i], is_likely ? a.working : unused);
    Seconds token_time = own_token_time(token, rates);
    decode[i] = 1 / token_time.value();
    prefill[i] = a.has_prefill ? 1 / own_prompt_time(prompt, rates).value() : 0;
    if (!is_likely) continue;
    const std::string products =
        a.has_prefill ? fmt::format("{:.4g} / {:.4g}", token.products.value(), rates.token_products.value()) : std::string("0");
    a.working.step("seconds a token",
                   "max(weights / (share x reading), products / (share x computing)) + cache / (share x reading) + layers x seconds",
                   fmt::format("max({:.4g} / {:.4g}, {}) + {:.4g} / {:.4g} + {} x {:.3g} + {} x {:.3g}", token.weights.value(),
                               rates.weights.value(), products, token.cache.value(), rates.cache.value(), p.n_dense_layers,
                               rates.dense_layer.value(), p.n_moe_layers, rates.moe_layer.value()),
                   fmt::format("{:.4g} s = {:.4g} tokens/s", token_time.value(), decode[i]));
    if (!a.has_prefill) continue;
    a.working.step(fmt::format("a prompt of {:.0f}, seconds a token", a.prompt_tokens),
                   "products / (share x computing) + experts / (share x computing) + attention / (share x computing)",
                   fmt::format("{:.4g} / {:.4g} + {:.4g} / {:.4g} + {}", prompt.products.value(), rates.products.value(),
                               prompt.experts.value(), rates.experts.value(),
                               own.f32_gflops > 0 ? fmt::format("{:.4g} / {:.4g}", prompt.attention.value(), rates.attention.value())
                                                  : std::string("left out: its rate is not known")),
                   fmt::format("{:.4g} s = {:.4g} tokens/s", 1 / prefill[i], prefill[i]));
  }
  a.decode = range_of(decode[0], decode[1], decode[2]);
  a.prefill = range_of(prefill[0], prefill[1], prefill[2]);
  return a;
}

Result<RunAnswer> on_device(const RunQuestion& q, const Tables& tables) {
  LocalTask task;
  task.config = q.model.config;
  task.device = q.device;
  task.bits = q.model.bits;
  task.context = q.context;
  task.placement = q.placement;
  task.disk = q.disk;
  RunAnswer a;
  a.working.input("device", task.device.name, source_text(task.device.source));
  std::array<LocalPlan, 3> at;
  for (size_t i = 0; i < kCorners.size(); i++) {
    Working unused;
    at[i] = TRY(local_plan(task, tables, kCorners[i], kCorners[i] == Corner::kLikely ? a.working : unused));
  }
  a.decode = range_of(at[0].decode().value(), at[1].decode().value(), at[2].decode().value());
  a.prefill = range_of(at[0].prefill.value(), at[1].prefill.value(), at[2].prefill.value());
  a.memory_bytes = (at[1].weights + at[1].cache).value();
  a.usable_bytes = task.device.memory.value();
  a.disk_share = at[1].disk_share;
  return a;
}

}  // namespace

RunModel shaped_model(std::string name, const ModelConfig& config, double bits) {
  ModelParameters p = model_parameters(config);
  return {.name = std::move(name),
          .config = config,
          .weight_bytes = static_cast<double>(p.total()) * bits / 8,
          .read_bytes = static_cast<double>(p.active_matmul) * bits / 8,
          .operations = linear_flops(config, false).value() - 2 * static_cast<double>(p.routed_per_token),
          .expert_operations = 2 * static_cast<double>(p.routed_per_token),
          .token_operations = linear_flops(config).value(),
          .bits = bits,
          .arithmetic = arithmetic_of(bits)};
}

Result<RunAnswer> answer_running(const RunQuestion& q, const Tables& tables) {
  if (q.own) return on_own_machine(q, *q.own, tables);
  return on_device(q, tables);
}

}  // namespace minke::plan
