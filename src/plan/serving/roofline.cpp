#include "plan/serving/roofline.h"

#include <algorithm>
#include <cmath>

#include "plan/shape/compute.h"
#include "plan/shape/exchange.h"
#include "plan/shape/parameters.h"

namespace minke::plan {
namespace {

double as_double(int64_t n) { return static_cast<double>(n); }

// Weights that every device reads in each step, and those of experts, which the unit shares.
struct WeightSplit {
  double dense = 0, experts = 0;
};

WeightSplit split_weights(const ServingUnit& unit) {
  ModelParameters p = model_parameters(unit.config);
  double everywhere = as_double(p.attention + p.dense_mlp + p.shared_experts + p.routers + p.norms + p.head_matmul);
  return {everywhere / as_double(unit.tensor), as_double(p.routed_experts)};
}

// Keys and values of a token on one device, when MLA's latent is repeated on every way of tensor parallelism.
Bytes kv_per_token_of_unit(const ServingUnit& unit) {
  Bytes once = kv_bytes_per_token(unit.config, unit.kv_bytes) * Tokens(1);
  double ways = as_double(unit.tensor);
  if (unit.config.attention == AttentionKind::kMla) return once * ways;
  return once * std::max(1.0, ways / as_double(unit.config.n_kv_heads));
}

Seconds expert_exchange(const ServingUnit& unit, const ServingRates& rates, double n_tokens) {
  const ModelConfig& c = unit.config;
  double n = as_double(unit.n_devices);
  if (c.moe.n_routed_experts == 0 || n <= 1) return Seconds(0);
  double k = as_double(c.moe.n_experts_per_token), values = as_double(c.hidden_size) * (unit.runs_eight_bit ? 3 : 4);
  double local = std::min(n, as_double(unit.device.scale_up_size));
  // Low-latency kernels write to each expert's device directly; what stays in the node goes over its links.
  double inside = k * (local - 1) / n, outside = k * (n - local) / n;
  Bytes vector(n_tokens * values);
  Seconds up = rates.scale_up.value() > 0 ? inside * vector / rates.scale_up : Seconds(0);
  Seconds out = outside > 0 ? outside * vector / rates.scale_out : Seconds(0);
  return rates.imbalance * std::max(up, out) + 2 * rates.link_latency;
}

// Both sums of a layer over the ways of tensor parallelism.
Seconds tensor_exchange(const ServingUnit& unit, const ServingRates& rates, double n_tokens) {
  if (unit.tensor == 1) return Seconds(0);
  double ways = as_double(unit.tensor);
  Bytes sums(2 * 2 * (ways - 1) / ways * n_tokens * ways * as_double(unit.config.hidden_size) * 2);
  BytesPerS link = rates.scale_up.value() > 0 ? rates.scale_up : rates.scale_out;
  return sums / link + 4 * rates.link_latency;
}

}  // namespace

Result<ServingRates> serving_rates(const ServingUnit& unit, const Tables& tables, Corner corner, Working& working) {
  const Device& device = unit.device;
  FlopsPerS peak = device.bf16;
  if (unit.runs_eight_bit) {
    auto precision = device.eight_bit();
    if (!precision) return error("{} has neither FP8 nor INT8 in the tables; --compute bf16 works everywhere", device.name);
    peak = device.peak(*precision);
  }
  const std::string& kind = device.device_class;
  ServingRates rates;
  rates.prefill = tables.factor("serve.prefill", kind, corner, working) * peak;
  rates.linear = tables.factor("serve.decode", kind, corner, working) * peak;
  rates.attention = tables.factor("serve.attention", kind, corner, working) * device.bf16;
  rates.memory = tables.factor("memory.stream", kind, corner, working) * device.bandwidth;
  rates.scale_up = tables.factor("link.scale-up", corner, working) * device.scale_up;
  rates.scale_out = tables.factor("link.scale-out", corner, working) * device.scale_out;
  rates.layer_overhead = Seconds(tables.factor("serve.layer-overhead", kind, corner, working));
  rates.link_latency = Seconds(tables.factor("link.latency", corner, working));
  rates.imbalance = tables.factor("serve.imbalance", corner, working);
  rates.usable = tables.factor("memory.usable", Corner::kLikely, working);
  return rates;
}

Bytes weight_bytes_per_device(const ServingUnit& unit) {
  WeightSplit split = split_weights(unit);
  double embedding =
      as_double(unit.config.tied_embeddings ? 0 : model_parameters(unit.config).embedding) / as_double(unit.tensor);
  return Bytes((split.dense + embedding + split.experts / as_double(unit.n_devices)) * unit.weight_bits / 8);
}

Status check_unit(const ServingUnit& unit, const ServingRates& rates) {
  if (unit.config.n_heads % unit.tensor != 0) {
    return error("tp{}: {} heads cannot be cut into {} equal parts", unit.tensor, unit.config.n_heads, unit.tensor);
  }
  if (unit.n_devices % unit.tensor != 0) {
    return error("tp{}: does not divide {} devices", unit.tensor, unit.n_devices);
  }
  if (unit.n_devices > unit.device.scale_up_size && unit.device.scale_out.value() <= 0) {
    return error("{} devices: {} has no network between nodes in the tables, and its fast links connect {}", unit.n_devices,
                 unit.device.name, unit.device.scale_up_size);
  }
  Bytes usable = unit.device.memory * rates.usable, needed = weight_bytes_per_device(unit);
  if (needed < usable) return {};
  // The next size that works, for a message that helps: more devices for experts, more ways for everything else.
  ServingUnit larger = unit;
  while (larger.n_devices < (int64_t{1} << 20) && !(weight_bytes_per_device(larger) < usable)) {
    larger.n_devices *= 2;
    if (larger.tensor * 2 <= unit.device.scale_up_size && unit.config.n_heads % (larger.tensor * 2) == 0 &&
        unit.config.moe.n_routed_experts == 0) {
      larger.tensor *= 2;
    }
  }
  std::string hint = weight_bytes_per_device(larger) < usable
                         ? fmt::format("; {} {} with tp{} hold it", larger.n_devices, unit.device.name, larger.tensor)
                         : "; fewer --bits or a larger --tp may do";
  return error("the weights take {:.1f} GB on each of {} {} (tp{}, {} bits), {:.1f} GB are usable{}", needed.value() / 1e9,
               unit.n_devices, unit.device.name, unit.tensor, unit.weight_bits, usable.value() / 1e9, hint);
}

Tokens kv_capacity(const ServingUnit& unit, const ServingRates& rates) {
  Bytes free = unit.device.memory * rates.usable - weight_bytes_per_device(unit);
  return Tokens(std::max(0.0, free.value()) * as_double(unit.n_devices) / kv_per_token_of_unit(unit).value());
}

DecodePoint decode_step(const ServingUnit& unit, const ServingRates& rates, double n_sequences, double context) {
  const ModelConfig& c = unit.config;
  double n = as_double(unit.n_devices), per_device = n_sequences / n, n_layers = as_double(c.n_layers);
  WeightSplit split = split_weights(unit);
  double touched = c.moe.n_routed_experts > 0 ? touched_experts(c, n_sequences) / as_double(c.moe.n_routed_experts) : 0;
  bool is_mla = c.attention == AttentionKind::kMla;
  DecodePoint p;
  p.n_sequences = n_sequences;
  p.weights =
      Bytes((split.dense + std::min(1.0, rates.imbalance * touched) * split.experts / n) * unit.weight_bits / 8) / rates.memory;
  p.products = Tokens(per_device) * linear_flops(c) / rates.linear;
  p.cache = per_device * context * kv_per_token_of_unit(unit) / rates.memory;
  p.attention =
      Tokens(per_device) * attention_flops(c, context, is_mla ? MlaForm::kAbsorbed : MlaForm::kNaive) / rates.attention;
  double n_moe = as_double(model_parameters(c).n_moe_layers);
  p.exchange = n_moe * expert_exchange(unit, rates, per_device) + n_layers * tensor_exchange(unit, rates, per_device);
  p.overhead = n_layers * rates.layer_overhead;
  Seconds device_time = std::max(p.weights, p.products) + std::max(p.cache, p.attention);
  // In two halves every weight is read twice and every kernel started twice.
  Seconds halves = std::max(2 * p.weights, p.products) + std::max(p.cache, p.attention);
  Seconds serial = device_time + p.exchange + p.overhead;
  Seconds overlapped = std::max(halves, p.exchange) + 2 * p.overhead;
  p.overlaps = overlapped < serial && n_sequences >= 2 * n;
  p.step = p.overlaps ? overlapped : serial;
  Seconds memory = p.weights + p.cache, compute = p.products + p.attention;
  Seconds most = std::max({memory, compute, p.exchange, p.overhead});
  p.limit = most == memory ? "memory" : most == compute ? "compute" : most == p.exchange ? "exchange" : "overhead";
  return p;
}

PrefillPoint prefill_point(const ServingUnit& unit, const ServingRates& rates, double n_keys) {
  const ModelConfig& c = unit.config;
  PrefillPoint p;
  p.products = linear_flops(c, false) / rates.prefill;
  p.attention = attention_flops(c, n_keys) / rates.attention;
  double n_moe = as_double(model_parameters(c).n_moe_layers);
  constexpr double kChunk = 4096;  // tokens of a device in one step, over which latencies spread
  ExpertExchange exchange;
  exchange.n_tokens = kChunk;
  exchange.n_devices = as_double(unit.n_devices);
  exchange.bytes_per_value = unit.runs_eight_bit ? 3 : 4;
  exchange.scale_up = rates.scale_up;
  exchange.scale_out = rates.scale_out;
  exchange.scale_up_size = unit.device.scale_up_size;
  Seconds of_chunk =
      n_moe * rates.imbalance * exchange_time(c, exchange) + as_double(c.n_layers) * tensor_exchange(unit, rates, kChunk);
  p.exchange = of_chunk / Tokens(kChunk);
  // Two batches hide each other's exchange, as far as compute lasts.
  p.token = std::max(p.products + p.attention, p.exchange);
  return p;
}

Seconds exchange_of_layer_half(const ExchangeCeiling& e) {
  return Bytes(e.n_tokens * e.fan * e.hidden * e.bytes_per_value) / e.link;
}

Seconds time_per_token(const ExchangeCeiling& e) { return 2 * as_double(e.n_layers) * exchange_of_layer_half(e); }

}  // namespace minke::plan
