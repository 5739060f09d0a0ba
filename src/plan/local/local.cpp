#include "plan/local/local.h"

#include <algorithm>
#include <array>

#include "plan/shape/compute.h"
#include "plan/shape/parameters.h"

namespace minke::plan {
namespace {

struct QuantBits {
  std::string_view name;
  double bits;
};
// K-quant mixes by the size of V3's files (404 GB for Q4_K_M: 4.82 bits); MLX's 4-bit groups of 64 have a scale and a bias of
// 16 bits; the others follow from their blocks.
constexpr std::array<QuantBits, 10> kQuants = {{{"f32", 32},
                                                {"bf16", 16},
                                                {"f16", 16},
                                                {"fp8", 8 + 32.0 / (128 * 128)},
                                                {"q8_0", 8.5},
                                                {"q6_k", 6.5625},
                                                {"q5_k_m", 5.67},
                                                {"q4_k_m", 4.82},
                                                {"q4_0", 4.5},
                                                {"mlx-4bit", 4.5}}};

std::string gb(Bytes bytes) { return fmt::format("{:.1f} GB", bytes.value() / 1e9); }

}  // namespace

Result<double> bits_of(const std::string& quant) {
  std::string names;
  for (const QuantBits& row : kQuants) {
    if (row.name == quant) return row.bits;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", row.name);
  }
  return error("quant \"{}\": expected one of {}, or --bits N", quant, names);
}

Arithmetic arithmetic_of(double bits) {
  return bits > 16 ? Arithmetic::kF32 : bits == 16 ? Arithmetic::kBf16 : Arithmetic::kBytes;
}

std::string_view arithmetic_name(Arithmetic arithmetic) {
  constexpr std::array<std::string_view, 3> kNames = {"f32", "bf16", "bytes"};
  return kNames[static_cast<size_t>(arithmetic)];
}

Result<Arithmetic> find_arithmetic(std::string_view name) {
  for (Arithmetic a : {Arithmetic::kF32, Arithmetic::kBf16, Arithmetic::kBytes}) {
    if (arithmetic_name(a) == name) return a;
  }
  return error("arithmetic \"{}\": expected f32, bf16 or bytes", name);
}

LocalRates own_rates(const OwnPeaks& peaks, const Tables& tables, Corner corner, Working& working) {
  const std::string kind(arithmetic_name(peaks.arithmetic));
  LocalRates rates;
  rates.weights = tables.factor("minke.decode", corner, working) * peaks.read;
  rates.cache = tables.factor("minke.cache", corner, working) * peaks.read;
  rates.token_products = tables.factor("minke.token-products." + kind, corner, working) * peaks.products;
  rates.products = tables.factor("minke.products." + kind, corner, working) * peaks.products;
  rates.experts = tables.factor("minke.experts." + kind, corner, working) * peaks.products;
  rates.attention = tables.factor("minke.attention", corner, working) * peaks.f32;
  rates.dense_layer = Seconds(tables.factor("minke.dense-layer", corner, working));
  rates.moe_layer = Seconds(tables.factor("minke.moe-layer", corner, working));
  return rates;
}

Seconds own_token_time(const OwnToken& token, const LocalRates& rates) {
  Seconds weights = token.weights / rates.weights;
  if (rates.token_products.value() > 0) weights = std::max(weights, token.products / rates.token_products);
  return weights + token.cache / rates.cache + token.dense_layers * rates.dense_layer + token.moe_layers * rates.moe_layer;
}

Seconds own_prompt_time(const OwnPrompt& prompt, const LocalRates& rates) {
  Seconds time = prompt.products / rates.products + prompt.experts / rates.experts;
  if (rates.attention.value() > 0) time += prompt.attention / rates.attention;
  return time;
}

Result<LocalPlan> local_plan(const LocalTask& task, const Tables& tables, Corner corner, Working& working) {
  const ModelConfig& c = task.config;
  ModelParameters p = model_parameters(c);
  auto bytes = [&](int64_t parameters) { return Bytes(static_cast<double>(parameters) * task.bits / 8); };
  if (task.placement == Placement::kHybrid) {
    if (p.routed_experts == 0) return error("a hybrid keeps routed experts in the CPU's memory, and the model has none");
    if (!task.device.device_class.starts_with("cpu")) {
      return error("a hybrid's device is the CPU that holds the experts, and {} is of class {}", task.device.name,
                   task.device.device_class);
    }
  }
  LocalPlan plan;
  plan.weights = bytes(p.total());
  plan.cache = kv_bytes_per_token(c, task.kv_bytes) * Tokens(task.context);
  const std::string& kind = task.device.device_class;
  Bytes usable = task.device.memory * tables.factor("memory.usable", Corner::kLikely, working);
  Bytes experts = bytes(p.routed_experts), wanted = bytes(p.routed_per_token);
  Bytes resident = plan.weights + plan.cache;
  if (task.placement == Placement::kHybrid) resident = experts;
  if (task.placement != Placement::kExpertsDisk && resident > usable) {
    return error("{} of weights and {} of cache need {}, {} has {} usable; fewer bits, more memory{}", gb(plan.weights),
                 gb(plan.cache), gb(resident), task.device.name, gb(usable),
                 p.routed_experts > 0 ? ", or experts from disk (--disk GB/s)" : "");
  }
  BytesPerS memory =
      tables.factor(task.placement == Placement::kHybrid ? "local.hybrid" : "local.memory", kind, corner, working) *
      task.device.bandwidth;
  double overhead = 0;  // the factor of hybrids was taken with it inside
  if (task.placement != Placement::kHybrid) {
    overhead = tables.factor("local.layer-overhead", kind, corner, working);
    if (p.routed_experts > 0) overhead *= tables.factor("local.moe-overhead-ratio", corner, working);
  }
  plan.read = task.placement == Placement::kHybrid ? wanted : bytes(p.active_matmul) + plan.cache;
  Bytes from_disk(0);
  if (task.placement == Placement::kExpertsDisk && resident > usable) {
    Bytes room = usable - (resident - experts);
    if (room.value() < 0) {
      return error("without its routed experts the model still needs {}, {} has {} usable", gb(resident - experts),
                   task.device.name, gb(usable));
    }
    plan.disk_share = 1 - room / experts;
    from_disk = plan.disk_share * wanted;
  }
  plan.token = (plan.read - from_disk) / memory + Seconds(overhead * static_cast<double>(c.n_layers));
  if (from_disk.value() > 0) plan.token += from_disk / task.disk;
  FlopsPerS compute = tables.factor("local.prefill", kind, corner, working) * task.device.bf16;
  plan.prefill = Tokens(1) / (linear_flops(c, false) * Tokens(1) / compute);
  working.step("bytes a token reads",
               task.placement == Placement::kHybrid ? "routed experts x bits / 8" : "active matrices x bits / 8 + cache",
               fmt::format("{:.4g} x {:.3g} / 8 + {}",
                           static_cast<double>(task.placement == Placement::kHybrid ? p.routed_per_token : p.active_matmul),
                           task.bits, gb(task.placement == Placement::kHybrid ? Bytes(0) : plan.cache)),
               gb(plan.read));
  working.step("seconds a token", "bytes / (factor x bandwidth) + layers x overhead",
               fmt::format("{} / {:.4g} GB/s + {} x {:.3g} s", gb(plan.read), memory.value() / 1e9, c.n_layers, overhead),
               fmt::format("{:.4g} s = {:.4g} tokens/s", plan.token.value(), plan.decode().value()));
  return plan;
}

}  // namespace minke::plan
