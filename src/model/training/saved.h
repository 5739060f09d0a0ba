// What the forward pass of one layer leaves for its backward pass. All memory is the training pass's
// (model/training/training_pass.h); rows are tokens of the batch. What is cheap to compute again is not kept: normalised rows,
// SwiGLU's products, keys and values of MLA, probabilities.
#pragma once

#include <cstdint>
#include <span>

#include "base/arena.h"

namespace minke {

struct SavedAttention {
  float* q = nullptr;        // [n_tokens, n_heads, qk_head_dim], rotated
  float* k = nullptr;        // GQA: [n_tokens, n_kv_heads, head_dim], rotated
  float* v = nullptr;        // GQA: [n_tokens, n_kv_heads, head_dim]
  float* q_plain = nullptr;  // with qk_norm: q and k before their norms
  float* k_plain = nullptr;
  float* q_latent = nullptr;  // MLA with q_lora: [n_tokens, q_lora_rank] before its norm
  float* kv = nullptr;        // MLA: [n_tokens, kv_lora_rank + rope]: the latent before its norm, the rope key rotated
  float* attended = nullptr;  // [n_tokens, n_heads, v_head_dim]
};

// Before SwiGLU, [n_rows, intermediate_size].
struct SavedMlp {
  float* gate = nullptr;
  float* up = nullptr;
};

// Which experts the tokens chose. Slots are pairs of a token and one of its experts, [n_tokens, n_experts_per_token]; places
// are slots grouped by expert: those of expert e are [offsets[e], offsets[e + 1]), in the order of their tokens.
struct Routing {
  float* logits = nullptr;     // [n_tokens, n_routed_experts]
  int32_t* experts = nullptr;  // [n_slots], ascending for each token
  float* weights = nullptr;    // [n_slots]
};
struct Grouping {
  int64_t* offsets = nullptr;  // [n_routed_experts + 1]
  int32_t* tokens = nullptr;   // [n_slots], by place
  int64_t* places = nullptr;   // [n_slots], by slot
};

struct SavedMoe {
  Routing routing;
  Grouping grouping;
  SavedMlp routed;     // [n_slots, .], by place
  SavedMlp shared;     // [n_tokens, .]
  double balance = 0;  // the balance loss, which the backward pass computes: sum over rows
};

struct SavedLayer {
  Arena* memory = nullptr;
  float* input = nullptr;          // [n_tokens, hidden_size], of the layer
  float* middle = nullptr;         // [n_tokens, hidden_size], after attention
  float* attention_out = nullptr;  // with post_norm: before it
  float* mlp_out = nullptr;
  SavedAttention attention;
  SavedMlp mlp;  // of a dense layer
  SavedMoe moe;
};

}  // namespace minke
