#include "plan/shape/compute.h"

#include <algorithm>
#include <cmath>

#include "plan/shape/parameters.h"

namespace minke::plan {

FlopsPerToken linear_flops(const ModelConfig& config, bool with_head) {
  ModelParameters p = model_parameters(config);
  return FlopsPerToken(2.0 * static_cast<double>(p.active_matmul - (with_head ? 0 : p.head_matmul)));
}

FlopsPerToken attention_flops(const ModelConfig& c, double n_keys, MlaForm form) {
  int64_t key_dim = c.qk_head_dim(), value_dim = c.value_head_dim();
  if (c.attention == AttentionKind::kMla && form == MlaForm::kAbsorbed) {
    key_dim = c.kv_lora_rank + c.qk_rope_head_dim;
    value_dim = c.kv_lora_rank;
  }
  return FlopsPerToken(2.0 * n_keys * static_cast<double>(c.n_layers * c.n_heads * (key_dim + value_dim)));
}

FlopsPerToken training_flops(const ModelConfig& c, int64_t seq_len, AttentionCount count, bool with_mtp) {
  double n_keys = static_cast<double>(seq_len) * (count == AttentionCount::kCausal ? 0.5 : 1.0);
  FlopsPerToken attention = attention_flops(c, n_keys);
  FlopsPerToken forward = linear_flops(c) + attention;
  if (with_mtp) {
    double module_layers = static_cast<double>(c.n_mtp_layers) / static_cast<double>(c.n_layers);
    forward += FlopsPerToken(2.0 * static_cast<double>(model_parameters(c).mtp_active)) + attention * module_layers;
  }
  return 3 * forward;
}

BytesPerToken kv_bytes_per_token(const ModelConfig& c, double bytes_per_value) {
  int64_t values = c.attention == AttentionKind::kMla ? c.kv_lora_rank + c.qk_rope_head_dim : 2 * c.n_kv_heads * c.head_dim;
  return BytesPerToken(static_cast<double>(c.n_layers * values) * bytes_per_value);
}

double touched_experts(const ModelConfig& c, double n_tokens) {
  if (c.moe.n_routed_experts == 0) return 0;
  double n = static_cast<double>(c.moe.n_routed_experts);
  return n * (1 - std::pow(1 - static_cast<double>(c.moe.n_experts_per_token) / n, n_tokens));
}

double reached_groups(double n_groups, double n_draws, double limit) {
  if (n_groups <= 1) return std::min(1.0, limit);
  return std::min(limit, n_groups * (1 - std::pow(1 - 1 / n_groups, n_draws)));
}

}  // namespace minke::plan
