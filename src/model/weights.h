// The weights of a model and the one table that names them. Load, convert, count and check walk the same rows.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "kernels/matmul.h"
#include "model/config.h"
#include "tensor/tensor.h"

namespace minke {

// Norms and biases: small, always f32 in memory.
struct Vector : std::vector<float> {
  using std::vector<float>::vector;
  float* gradient = nullptr;  // of the same size, to which backward passes add; null: not trained
};

// A low-rank addition to a matrix (LoRA): out += scale * B (A x). model/training/adapter.h says where they come from.
struct Adapter {
  Weight a;  // [rank, in]
  Weight b;  // [out, rank]
  float scale = 0;
};

struct Linear {
  Weight weight;  // [out, in]
  Vector bias;    // [out], empty without one
  const Adapter* adapter = nullptr;
};

struct MlpWeights {
  Linear gate_proj, up_proj, down_proj;
};

// kv_b_proj, seen head by head. A head's key half maps the latent to keys: k_nope = up_k * latent.
struct LatentUp {
  Weight kv_b_proj;              // [n_heads * (nope + v), kv_lora_rank], when the file holds one matrix
  std::vector<Weight> up_k;      // per head: [nope, kv_lora_rank], or [kv_lora_rank, nope] when transposed
  std::vector<Weight> up_v;      // per head: [v_head_dim, kv_lora_rank]
  bool up_k_transposed = false;  // GGUF's split convention stores it ready for the absorbed form
};

struct AttentionWeights {
  Linear q_proj, k_proj, v_proj, o_proj;  // GQA; MLA without q_lora uses q_proj, both use o_proj
  Vector q_norm, k_norm;                  // [head_dim]
  Linear q_a_proj, q_b_proj, kv_a_proj;   // MLA
  Vector q_a_norm, kv_a_norm;
  LatentUp up;
};

struct MoeWeights {
  Weight router;       // [n_routed_experts, hidden_size]
  Vector router_bias;  // [n_routed_experts]
  std::vector<MlpWeights> experts;
  MlpWeights shared;
};

struct LayerWeights {
  Vector attn_norm, mlp_norm;            // [hidden_size]
  Vector attn_post_norm, mlp_post_norm;  // with post_norm
  AttentionWeights attention;
  MlpWeights mlp;  // of a dense layer
  MoeWeights moe;
};

// A module of multi-token prediction (DeepSeek-V3 paper, section 2.2): a layer of its own, behind the main model's.
struct MtpWeights {
  Vector embedding_norm, hidden_norm;  // [hidden_size]
  Linear eh_proj;                      // [hidden_size, 2 * hidden_size]: columns of the embedding first
  LayerWeights layer;
  Vector final_norm;
  Weight embedding, lm_head;  // the main model's where the checkpoint holds no copies
};

struct ModelWeights {
  Weight embedding;  // [vocab_size, hidden_size]
  std::vector<LayerWeights> layers;
  Vector final_norm;
  Weight lm_head;  // the embedding when tied
  std::vector<MtpWeights> mtp;
};

enum class WeightKind {
  kEmbedding,
  kLmHead,
  kLinear,
  kRouter,
  kExpert,
  kNorm,
  kBias,
  kRouterBias,
  kLatentUp,     // kv_b_proj as one matrix
  kLatentUpKey,  // per-head key half, transposed (GGUF's split convention)
  kLatentUpValue,
};

// One row: a tensor of a checkpoint and where it goes.
struct WeightRow {
  std::string name;       // "layers.3.attention.q_proj"
  std::string hf_name;    // "" where the HF layout has no such tensor
  std::string gguf_name;  // "" where GGUF has none
  Shape shape;            // of this row; a GGUF expert row is slice `expert` of the stacked tensor
  WeightKind kind = WeightKind::kLinear;
  int64_t layer = -1;  // from n_layers on: modules of multi-token prediction
  int64_t expert = -1;
  bool is_shared = false;           // may be missing: the main model's matrix is meant then
  int64_t gguf_permuted_heads = 0;  // > 0: GGUF llama permutes these rows, head by head
  Weight* matrix = nullptr;         // the destination: exactly one of the two
  Vector* vector = nullptr;
  Linear* linear = nullptr;  // what `matrix` is part of; null for matrices that take no adapter
};

// All rows of a config, in model order, pointing into `weights`, whose vectors are sized here.
// kv_b_proj appears as one row (kLatentUp) or as two (kLatentUpKey, kLatentUpValue) by `split_latent_up`.
std::vector<WeightRow> weight_rows(const ModelConfig& config, ModelWeights& weights, bool split_latent_up);

// After the rows' matrices are set: what shares them, a tied head and the modules of multi-token prediction.
void share_matrices(const ModelConfig& config, ModelWeights& weights);
// Views of every head's key and value half of kv_b_proj as one matrix.
void cut_whole(LatentUp& up, const ModelConfig& config);
// Both, for all layers; of the Hugging Face layout.
void link_weights(const ModelConfig& config, ModelWeights& weights);

// Whether weight decay pulls rows of this kind to zero. Matrices decay, embedding and head among them (they are one matrix when
// tied); norms and biases do not. DeepSeek's reports do not say what they exempt; deciding by the number of axes is what most
// published recipes do.
bool decays(WeightKind kind);

// Parameters by part, from the rows alone.
struct ParameterCount {
  int64_t embedding = 0, lm_head = 0, attention = 0, dense_mlp = 0, shared_experts = 0, routed_experts = 0, routers = 0,
          norms = 0;
  int64_t total() const {
    return embedding + lm_head + attention + dense_mlp + shared_experts + routed_experts + routers + norms;
  }
  int64_t active = 0;  // used by one token, embedding and head included
  int64_t mtp = 0;     // of the multi-token prediction modules, in no other figure; without what they share with the model
};
ParameterCount count_parameters(const ModelConfig& config);

}  // namespace minke
