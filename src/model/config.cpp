#include "model/config.h"

#include <cmath>

namespace minke {
namespace {

// Far above every published model, far below where a product of three sizes overflows.
constexpr int64_t kMaxSize = int64_t{1} << 24;
constexpr int64_t kMaxCount = 4096;

Status in_range(const char* name, int64_t value, int64_t low, int64_t high) {
  if (value < low || value > high) return error("{} = {}: expected {} to {}", name, value, low, high);
  return {};
}

Status validate_attention(const ModelConfig& c) {
  TRY(in_range("n_heads", c.n_heads, 1, kMaxCount));
  if (c.attention == AttentionKind::kGqa) {
    TRY(in_range("n_kv_heads", c.n_kv_heads, 1, c.n_heads));
    TRY(in_range("head_dim", c.head_dim, 2, 4096));
    if (c.n_heads % c.n_kv_heads != 0) {
      return error("n_heads = {} is not a multiple of n_kv_heads = {}", c.n_heads, c.n_kv_heads);
    }
    if (c.rope.dim != c.head_dim) {
      return error("rope dimension {} of head_dim {}: only rotation of the whole head is supported here", c.rope.dim,
                   c.head_dim);
    }
  } else {
    TRY(in_range("q_lora_rank", c.q_lora_rank, 0, kMaxSize));
    TRY(in_range("kv_lora_rank", c.kv_lora_rank, 1, kMaxSize));
    TRY(in_range("qk_nope_head_dim", c.qk_nope_head_dim, 1, 4096));
    TRY(in_range("qk_rope_head_dim", c.qk_rope_head_dim, 2, 4096));
    TRY(in_range("v_head_dim", c.v_head_dim, 1, 4096));
  }
  if (c.rope.dim % 2 != 0) return error("rope dimension {} is odd", c.rope.dim);
  return {};
}

Status validate_rope(const ModelConfig& c) {
  const RopeConfig& r = c.rope;
  if (!(r.theta > 1.0) || !std::isfinite(r.theta)) return error("rope_theta = {}: expected a number above 1", r.theta);
  if (r.scaling == RopeScaling::kNone) return {};
  if (!(r.factor >= 1.0) || !std::isfinite(r.factor)) return error("rope scaling factor = {}: expected at least 1", r.factor);
  if (r.scaling != RopeScaling::kLinear && !(r.original_max_seq_len >= 1.0 && std::isfinite(r.original_max_seq_len))) {
    return error("rope scaling original_max_position_embeddings = {}: expected at least 1", r.original_max_seq_len);
  }
  if (r.scaling == RopeScaling::kYarn && !(r.beta_fast > 0 && r.beta_slow > 0)) {
    return error("yarn beta_fast = {}, beta_slow = {}: expected positive numbers", r.beta_fast, r.beta_slow);
  }
  if (r.scaling == RopeScaling::kLlama3 && !(r.high_freq_factor > r.low_freq_factor && r.low_freq_factor > 0)) {
    return error("llama3 rope low_freq_factor = {}, high_freq_factor = {}: expected 0 < low < high", r.low_freq_factor,
                 r.high_freq_factor);
  }
  return {};
}

Status validate_moe(const MoeConfig& m, int64_t n_layers) {
  if (m.n_routed_experts == 0) return {};
  TRY(in_range("n_routed_experts", m.n_routed_experts, 1, kMaxCount));
  TRY(in_range("n_shared_experts", m.n_shared_experts, 0, kMaxCount));
  TRY(in_range("n_experts_per_token", m.n_experts_per_token, 1, m.n_routed_experts));
  TRY(in_range("moe_intermediate_size", m.intermediate_size, 1, kMaxSize));
  TRY(in_range("first_k_dense", m.first_k_dense, 0, n_layers));
  TRY(in_range("moe_layer_freq", m.layer_freq, 1, n_layers));
  TRY(in_range("n_groups", m.n_groups, 1, m.n_routed_experts));
  TRY(in_range("topk_groups", m.topk_groups, 1, m.n_groups));
  if (m.n_routed_experts % m.n_groups != 0) {
    return error("n_routed_experts = {} is not a multiple of n_groups = {}", m.n_routed_experts, m.n_groups);
  }
  int64_t group_size = m.n_routed_experts / m.n_groups;
  if (m.topk_groups * group_size < m.n_experts_per_token) {
    return error("{} groups of {} experts hold fewer than n_experts_per_token = {}", m.topk_groups, group_size,
                 m.n_experts_per_token);
  }
  if (m.selection == RouterSelection::kGroupTopTwo && m.n_groups > 1 && group_size < 2) {
    return error("groups of {} expert: the noaux_tc router scores a group by its two best experts", group_size);
  }
  if (!std::isfinite(m.routed_scaling_factor)) return error("routed_scaling_factor = {}", m.routed_scaling_factor);
  return {};
}

}  // namespace

Status validate_config(const ModelConfig& c) {
  TRY(in_range("vocab_size", c.vocab_size, 1, kMaxSize));
  TRY(in_range("hidden_size", c.hidden_size, 1, kMaxSize));
  TRY(in_range("intermediate_size", c.intermediate_size, 1, kMaxSize));
  TRY(in_range("n_layers", c.n_layers, 1, kMaxCount));
  TRY(in_range("max_seq_len", c.max_seq_len, 1, int64_t{1} << 31));
  TRY(in_range("n_mtp_layers", c.n_mtp_layers, 0, 64));
  if (!(c.rms_norm_eps >= 0 && c.rms_norm_eps < 1)) return error("rms_norm_eps = {}: expected 0 to 1", c.rms_norm_eps);
  for (double multiplier : {c.softmax_scale, c.embedding_multiplier, c.residual_multiplier, c.logits_multiplier}) {
    if (!std::isfinite(multiplier)) return error("a multiplier of the model is {}", multiplier);
  }
  TRY(validate_attention(c));
  TRY(validate_rope(c));
  TRY(validate_moe(c.moe, c.n_layers));
  return {};
}

}  // namespace minke
