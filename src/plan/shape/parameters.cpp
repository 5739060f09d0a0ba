#include "plan/shape/parameters.h"

namespace minke::plan {
namespace {

// Matrices and biases apart: a token multiplies only the former.
struct Part {
  int64_t matrices = 0, biases = 0;
  void linear(int64_t out, int64_t in, bool bias = false) {
    matrices += out * in;
    if (bias) biases += out;
  }
  int64_t total() const { return matrices + biases; }
};

Part attention_part(const ModelConfig& c) {
  Part part;
  if (c.attention == AttentionKind::kGqa) {
    part.linear(c.n_heads * c.head_dim, c.hidden_size, c.qkv_bias);
    part.linear(c.n_kv_heads * c.head_dim, c.hidden_size, c.qkv_bias);
    part.linear(c.n_kv_heads * c.head_dim, c.hidden_size, c.qkv_bias);
    part.linear(c.hidden_size, c.n_heads * c.head_dim, c.o_bias);
    return part;
  }
  if (c.q_lora_rank == 0) {
    part.linear(c.n_heads * c.qk_head_dim(), c.hidden_size);
  } else {
    part.linear(c.q_lora_rank, c.hidden_size, c.qkv_bias);
    part.linear(c.n_heads * c.qk_head_dim(), c.q_lora_rank);
  }
  part.linear(c.kv_lora_rank + c.qk_rope_head_dim, c.hidden_size, c.qkv_bias);
  part.linear(c.n_heads * (c.qk_nope_head_dim + c.v_head_dim), c.kv_lora_rank);
  part.linear(c.hidden_size, c.n_heads * c.v_head_dim, c.o_bias);
  return part;
}

int64_t layer_norms(const ModelConfig& c) {
  int64_t norms = (c.post_norm ? 4 : 2) * c.hidden_size;
  if (c.attention == AttentionKind::kMla) return norms + c.q_lora_rank + c.kv_lora_rank;
  return norms + (c.qk_norm ? 2 * c.head_dim : 0);
}

Part mlp_part(const ModelConfig& c) {
  Part part;
  part.linear(c.intermediate_size, c.hidden_size, c.mlp_bias);
  part.linear(c.intermediate_size, c.hidden_size, c.mlp_bias);
  part.linear(c.hidden_size, c.intermediate_size, c.mlp_bias);
  return part;
}

LayerParameters dense_layer(const ModelConfig& c) {
  LayerParameters layer;
  layer.attention = attention_part(c).total();
  layer.dense_mlp = mlp_part(c).total();
  layer.norms = layer_norms(c);
  return layer;
}

LayerParameters moe_layer(const ModelConfig& c) {
  const MoeConfig& m = c.moe;
  LayerParameters layer;
  layer.attention = attention_part(c).total();
  layer.norms = layer_norms(c);
  layer.one_expert = 3 * c.hidden_size * m.intermediate_size;
  layer.routed_experts = m.n_routed_experts * layer.one_expert;
  layer.shared_experts = m.n_shared_experts * layer.one_expert;
  layer.router = m.n_routed_experts * (c.hidden_size + (m.has_router_bias ? 1 : 0));
  return layer;
}

// Matrices of one layer that a token multiplies.
int64_t layer_matmul(const ModelConfig& c, bool is_moe) {
  int64_t attention = attention_part(c).matrices;
  if (!is_moe) return attention + mlp_part(c).matrices;
  const MoeConfig& m = c.moe;
  int64_t expert = 3 * c.hidden_size * m.intermediate_size;
  return attention + (m.n_shared_experts + m.n_experts_per_token) * expert + m.n_routed_experts * c.hidden_size;
}

}  // namespace

ModelParameters model_parameters(const ModelConfig& c) {
  ModelParameters p;
  for (int64_t layer = 0; layer < c.n_layers; layer++) (c.is_moe_layer(layer) ? p.n_moe_layers : p.n_dense_layers)++;
  p.dense_layer = dense_layer(c);
  if (c.moe.n_routed_experts > 0) p.moe_layer = moe_layer(c);
  p.embedding = c.vocab_size * c.hidden_size;
  p.lm_head = c.tied_embeddings ? 0 : p.embedding;
  p.final_norm = c.hidden_size;

  const LayerParameters &d = p.dense_layer, &m = p.moe_layer;
  p.attention = p.n_dense_layers * d.attention + p.n_moe_layers * m.attention;
  p.dense_mlp = p.n_dense_layers * d.dense_mlp;
  p.shared_experts = p.n_moe_layers * m.shared_experts;
  p.routed_experts = p.n_moe_layers * m.routed_experts;
  p.routers = p.n_moe_layers * m.router;
  p.norms = p.n_dense_layers * d.norms + p.n_moe_layers * m.norms + p.final_norm;

  p.routed_per_token = p.n_moe_layers * c.moe.n_experts_per_token * m.one_expert;
  p.active = p.total() - p.routed_experts + p.routed_per_token;
  p.head_matmul = c.vocab_size * c.hidden_size;
  p.active_matmul = p.n_dense_layers * layer_matmul(c, false) + p.n_moe_layers * layer_matmul(c, true) + p.head_matmul;

  if (c.n_mtp_layers > 0) {
    bool is_moe = c.is_moe_layer(c.n_layers);
    const LayerParameters& layer = is_moe ? m : d;
    int64_t own = 2 * c.hidden_size * c.hidden_size + 3 * c.hidden_size;  // eh_proj, norms of both inputs, final norm
    p.mtp = c.n_mtp_layers * (layer.total() + own);
    p.mtp_active = c.n_mtp_layers * (layer_matmul(c, is_moe) + 2 * c.hidden_size * c.hidden_size + p.head_matmul);
  }
  return p;
}

}  // namespace minke::plan
