#include "model/weights.h"

#include <string_view>

namespace minke {
namespace {

// Builds the rows of one layer (or of the top) with common prefixes.
class RowBuilder {
 public:
  RowBuilder(std::vector<WeightRow>& rows, std::string name, std::string hf, std::string gguf, int64_t layer)
      : rows_(rows), name_(std::move(name)), hf_(std::move(hf)), gguf_(std::move(gguf)), layer_(layer) {}

  WeightRow& matrix(Weight& slot, std::string_view name, std::string_view hf, std::string_view gguf, Shape shape,
                    WeightKind kind) {
    WeightRow& row = add(name, hf, gguf, ".weight", std::move(shape), kind);
    row.matrix = &slot;
    return row;
  }
  WeightRow& vector(Vector& slot, std::string_view name, std::string_view hf, std::string_view gguf, int64_t n,
                    WeightKind kind) {
    WeightRow& row = add(name, hf, gguf, kind == WeightKind::kBias ? ".bias" : ".weight", {n}, kind);
    row.vector = &slot;
    return row;
  }
  void linear(Linear& slot, std::string_view name, std::string_view hf, std::string_view gguf, int64_t out, int64_t in,
              bool has_bias) {
    matrix(slot.weight, name, hf, gguf, {out, in}, WeightKind::kLinear).linear = &slot;
    if (has_bias) vector(slot.bias, fmt::format("{}.bias", name), hf, gguf, out, WeightKind::kBias);
  }
  // The last n rows (a linear and its bias) belong to heads that GGUF llama permutes.
  void permuted(int64_t n_heads, bool has_bias) {
    for (size_t back = 1; back <= (has_bias ? 2u : 1u); back++) rows_[rows_.size() - back].gguf_permuted_heads = n_heads;
  }

 private:
  WeightRow& add(std::string_view name, std::string_view hf, std::string_view gguf, std::string_view suffix, Shape shape,
                 WeightKind kind) {
    WeightRow row;
    row.name = fmt::format("{}{}", name_, name);
    if (!hf.empty()) row.hf_name = fmt::format("{}{}{}", hf_, hf, suffix);
    if (!gguf.empty()) row.gguf_name = fmt::format("{}{}{}", gguf_, gguf, suffix);
    row.shape = std::move(shape);
    row.kind = kind;
    row.layer = layer_;
    rows_.push_back(std::move(row));
    return rows_.back();
  }

  std::vector<WeightRow>& rows_;
  std::string name_, hf_, gguf_;
  int64_t layer_;
};

void gqa_rows(RowBuilder& b, const ModelConfig& c, AttentionWeights& w) {
  int64_t q_dim = c.n_heads * c.head_dim, kv_dim = c.n_kv_heads * c.head_dim;
  b.linear(w.q_proj, "attention.q_proj", "self_attn.q_proj", "attn_q", q_dim, c.hidden_size, c.qkv_bias);
  b.permuted(c.n_heads, c.qkv_bias);
  b.linear(w.k_proj, "attention.k_proj", "self_attn.k_proj", "attn_k", kv_dim, c.hidden_size, c.qkv_bias);
  b.permuted(c.n_kv_heads, c.qkv_bias);
  b.linear(w.v_proj, "attention.v_proj", "self_attn.v_proj", "attn_v", kv_dim, c.hidden_size, c.qkv_bias);
  b.linear(w.o_proj, "attention.o_proj", "self_attn.o_proj", "attn_output", c.hidden_size, q_dim, c.o_bias);
  if (!c.qk_norm) return;
  b.vector(w.q_norm, "attention.q_norm", "self_attn.q_norm", "attn_q_norm", c.head_dim, WeightKind::kNorm);
  b.vector(w.k_norm, "attention.k_norm", "self_attn.k_norm", "attn_k_norm", c.head_dim, WeightKind::kNorm);
}

void mla_rows(RowBuilder& b, const ModelConfig& c, AttentionWeights& w, bool split) {
  int64_t q_dim = c.n_heads * c.qk_head_dim();
  if (c.q_lora_rank == 0) {
    b.linear(w.q_proj, "attention.q_proj", "self_attn.q_proj", "attn_q", q_dim, c.hidden_size, false);
  } else {
    b.linear(w.q_a_proj, "attention.q_a_proj", "self_attn.q_a_proj", "attn_q_a", c.q_lora_rank, c.hidden_size, c.qkv_bias);
    b.vector(w.q_a_norm, "attention.q_a_norm", "self_attn.q_a_layernorm", "attn_q_a_norm", c.q_lora_rank, WeightKind::kNorm);
    b.linear(w.q_b_proj, "attention.q_b_proj", "self_attn.q_b_proj", "attn_q_b", q_dim, c.q_lora_rank, false);
  }
  b.linear(w.kv_a_proj, "attention.kv_a_proj", "self_attn.kv_a_proj_with_mqa", "attn_kv_a_mqa",
           c.kv_lora_rank + c.qk_rope_head_dim, c.hidden_size, c.qkv_bias);
  b.vector(w.kv_a_norm, "attention.kv_a_norm", "self_attn.kv_a_layernorm", "attn_kv_a_norm", c.kv_lora_rank, WeightKind::kNorm);
  int64_t h = c.n_heads, r = c.kv_lora_rank;
  if (split) {
    w.up.up_k_transposed = true;
    w.up.up_k.resize(1);  // the stacked tensor; the loader cuts it into heads
    w.up.up_v.resize(1);
    b.matrix(w.up.up_k[0], "attention.up_k", "", "attn_k_b", {h, r, c.qk_nope_head_dim}, WeightKind::kLatentUpKey);
    b.matrix(w.up.up_v[0], "attention.up_v", "", "attn_v_b", {h, c.v_head_dim, r}, WeightKind::kLatentUpValue);
  } else {
    b.matrix(w.up.kv_b_proj, "attention.kv_b_proj", "self_attn.kv_b_proj", "attn_kv_b",
             {h * (c.qk_nope_head_dim + c.v_head_dim), r}, WeightKind::kLatentUp);
  }
  b.linear(w.o_proj, "attention.o_proj", "self_attn.o_proj", "attn_output", c.hidden_size, h * c.v_head_dim, c.o_bias);
}

void moe_rows(RowBuilder& b, std::vector<WeightRow>& rows, const ModelConfig& c, MoeWeights& w) {
  const MoeConfig& m = c.moe;
  int64_t width = m.intermediate_size;
  b.matrix(w.router, "router", "mlp.gate", "ffn_gate_inp", {m.n_routed_experts, c.hidden_size}, WeightKind::kRouter);
  if (m.has_router_bias) {
    WeightRow& row = b.vector(w.router_bias, "router_bias", "mlp.gate.e_score_correction_bias", "exp_probs_b",
                              m.n_routed_experts, WeightKind::kRouterBias);
    row.hf_name.resize(row.hf_name.size() - std::string_view(".weight").size());
    row.gguf_name.replace(row.gguf_name.size() - std::string_view(".weight").size(), std::string::npos, ".bias");
  }
  w.experts.resize(static_cast<size_t>(m.n_routed_experts));
  for (int64_t e = 0; e < m.n_routed_experts; e++) {
    MlpWeights& expert = w.experts[static_cast<size_t>(e)];
    auto expert_row = [&](Linear& slot, std::string_view proj, std::string_view gguf, int64_t out, int64_t in) {
      b.matrix(slot.weight, fmt::format("experts.{}.{}", e, proj), fmt::format("mlp.experts.{}.{}", e, proj), gguf, {out, in},
               WeightKind::kExpert);
      rows.back().expert = e;
    };
    expert_row(expert.gate_proj, "gate_proj", "ffn_gate_exps", width, c.hidden_size);
    expert_row(expert.up_proj, "up_proj", "ffn_up_exps", width, c.hidden_size);
    expert_row(expert.down_proj, "down_proj", "ffn_down_exps", c.hidden_size, width);
  }
  if (m.n_shared_experts == 0) return;
  int64_t shared = width * m.n_shared_experts;
  b.linear(w.shared.gate_proj, "shared.gate_proj", "mlp.shared_experts.gate_proj", "ffn_gate_shexp", shared, c.hidden_size,
           false);
  b.linear(w.shared.up_proj, "shared.up_proj", "mlp.shared_experts.up_proj", "ffn_up_shexp", shared, c.hidden_size, false);
  b.linear(w.shared.down_proj, "shared.down_proj", "mlp.shared_experts.down_proj", "ffn_down_shexp", c.hidden_size, shared,
           false);
}

void layer_rows(std::vector<WeightRow>& rows, const ModelConfig& c, LayerWeights& w, int64_t layer, bool split) {
  RowBuilder b(rows, fmt::format("layers.{}.", layer), fmt::format("model.layers.{}.", layer), fmt::format("blk.{}.", layer),
               layer);
  b.vector(w.attn_norm, "attn_norm", "input_layernorm", "attn_norm", c.hidden_size, WeightKind::kNorm);
  if (c.attention == AttentionKind::kMla) {
    mla_rows(b, c, w.attention, split);
  } else {
    gqa_rows(b, c, w.attention);
  }
  if (c.post_norm) b.vector(w.attn_post_norm, "attn_post_norm", "post_norm1", "", c.hidden_size, WeightKind::kNorm);
  b.vector(w.mlp_norm, "mlp_norm", "post_attention_layernorm", "ffn_norm", c.hidden_size, WeightKind::kNorm);
  if (c.is_moe_layer(layer)) {
    moe_rows(b, rows, c, w.moe);
  } else {
    b.linear(w.mlp.gate_proj, "mlp.gate_proj", "mlp.gate_proj", "ffn_gate", c.intermediate_size, c.hidden_size, c.mlp_bias);
    b.linear(w.mlp.up_proj, "mlp.up_proj", "mlp.up_proj", "ffn_up", c.intermediate_size, c.hidden_size, c.mlp_bias);
    b.linear(w.mlp.down_proj, "mlp.down_proj", "mlp.down_proj", "ffn_down", c.hidden_size, c.intermediate_size, c.mlp_bias);
  }
  if (c.post_norm) b.vector(w.mlp_post_norm, "mlp_post_norm", "post_norm2", "", c.hidden_size, WeightKind::kNorm);
}

// GGUF's names are those of llama.cpp ("nextn").
void mtp_rows(std::vector<WeightRow>& rows, const ModelConfig& c, MtpWeights& w, int64_t layer, bool split) {
  RowBuilder b(rows, fmt::format("mtp.{}.", layer - c.n_layers), fmt::format("model.layers.{}.", layer),
               fmt::format("blk.{}.nextn.", layer), layer);
  Shape table = {c.vocab_size, c.hidden_size};
  b.matrix(w.embedding, "embedding", "embed_tokens", "embed_tokens", table, WeightKind::kEmbedding).is_shared = true;
  b.vector(w.embedding_norm, "embedding_norm", "enorm", "enorm", c.hidden_size, WeightKind::kNorm);
  b.vector(w.hidden_norm, "hidden_norm", "hnorm", "hnorm", c.hidden_size, WeightKind::kNorm);
  b.linear(w.eh_proj, "eh_proj", "eh_proj", "eh_proj", c.hidden_size, 2 * c.hidden_size, false);
  layer_rows(rows, c, w.layer, layer, split);
  b.vector(w.final_norm, "final_norm", "shared_head.norm", "shared_head_norm", c.hidden_size, WeightKind::kNorm);
  b.matrix(w.lm_head, "lm_head", "shared_head.head", "shared_head_head", table, WeightKind::kLmHead).is_shared = true;
}

}  // namespace

std::vector<WeightRow> weight_rows(const ModelConfig& c, ModelWeights& w, bool split_latent_up) {
  std::vector<WeightRow> rows;
  w.layers.resize(static_cast<size_t>(c.n_layers));
  RowBuilder top(rows, "", "model.", "", -1);
  top.matrix(w.embedding, "embedding", "embed_tokens", "token_embd", {c.vocab_size, c.hidden_size}, WeightKind::kEmbedding);
  for (int64_t layer = 0; layer < c.n_layers; layer++) {
    layer_rows(rows, c, w.layers[static_cast<size_t>(layer)], layer, split_latent_up);
  }
  top.vector(w.final_norm, "final_norm", "norm", "output_norm", c.hidden_size, WeightKind::kNorm);
  if (!c.tied_embeddings) {
    RowBuilder head(rows, "", "", "", -1);
    head.matrix(w.lm_head, "lm_head", "lm_head", "output", {c.vocab_size, c.hidden_size}, WeightKind::kLmHead);
  }
  w.mtp.resize(static_cast<size_t>(c.n_mtp_layers));
  for (int64_t i = 0; i < c.n_mtp_layers; i++) {
    mtp_rows(rows, c, w.mtp[static_cast<size_t>(i)], c.n_layers + i, split_latent_up);
  }
  return rows;
}

void share_matrices(const ModelConfig& c, ModelWeights& weights) {
  if (c.tied_embeddings) weights.lm_head = weights.embedding;
  for (MtpWeights& mtp : weights.mtp) {
    if (mtp.embedding.data == nullptr) mtp.embedding = weights.embedding;
    if (mtp.lm_head.data == nullptr) mtp.lm_head = weights.lm_head;
  }
}

void cut_whole(LatentUp& up, const ModelConfig& c) {
  const int64_t nope = c.qk_nope_head_dim, v_dim = c.v_head_dim;
  up.up_k.clear();
  up.up_v.clear();
  for (int64_t h = 0; h < c.n_heads; h++) {
    up.up_k.push_back(up.kv_b_proj.slice_rows(h * (nope + v_dim), nope));
    up.up_v.push_back(up.kv_b_proj.slice_rows(h * (nope + v_dim) + nope, v_dim));
  }
}

void link_weights(const ModelConfig& c, ModelWeights& weights) {
  share_matrices(c, weights);
  if (c.attention != AttentionKind::kMla) return;
  for (LayerWeights& layer : weights.layers) cut_whole(layer.attention.up, c);
  for (MtpWeights& mtp : weights.mtp) cut_whole(mtp.layer.attention.up, c);
}

bool decays(WeightKind kind) {
  return kind != WeightKind::kNorm && kind != WeightKind::kBias && kind != WeightKind::kRouterBias;
}

ParameterCount count_parameters(const ModelConfig& config) {
  ModelWeights weights;
  ParameterCount count;
  for (const WeightRow& row : weight_rows(config, weights, false)) {
    int64_t n = 1;
    for (int64_t dim : row.shape) n *= dim;
    if (row.layer >= config.n_layers) {
      if (!row.is_shared) count.mtp += n;
      continue;
    }
    bool is_mlp = row.name.find(".mlp.") != std::string::npos;
    bool is_shared = row.name.find(".shared.") != std::string::npos;
    switch (row.kind) {
      case WeightKind::kEmbedding:
        count.embedding += n;
        break;
      case WeightKind::kLmHead:
        count.lm_head += n;
        break;
      case WeightKind::kExpert:
        count.routed_experts += n;
        break;
      case WeightKind::kRouter:
      case WeightKind::kRouterBias:
        count.routers += n;
        break;
      case WeightKind::kNorm:
        count.norms += n;
        break;
      default:
        (is_mlp ? count.dense_mlp : is_shared ? count.shared_experts : count.attention) += n;
        break;
    }
  }
  const MoeConfig& m = config.moe;
  int64_t active_experts = m.n_routed_experts > 0 ? count.routed_experts / m.n_routed_experts * m.n_experts_per_token : 0;
  count.active = count.total() - count.routed_experts + active_experts;
  return count;
}

}  // namespace minke
