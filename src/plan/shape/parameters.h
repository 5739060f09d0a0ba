// Parameters of a model by part, from its configuration alone. tests/plan compares them with the rows of model/weights.h.
#pragma once

#include <cstdint>

#include "model/config.h"

namespace minke::plan {

// Of one layer; `active` is what one token multiplies, norms and biases included.
struct LayerParameters {
  int64_t attention = 0, dense_mlp = 0, shared_experts = 0, routed_experts = 0, router = 0, norms = 0;
  int64_t one_expert = 0;  // of the routed ones, all included in routed_experts
  int64_t total() const { return attention + dense_mlp + shared_experts + routed_experts + router + norms; }
};

struct ModelParameters {
  int64_t n_dense_layers = 0, n_moe_layers = 0;
  LayerParameters dense_layer, moe_layer;  // of one layer of either kind
  int64_t embedding = 0, lm_head = 0;      // a tied head is 0: the embedding serves
  int64_t final_norm = 0;
  int64_t mtp = 0;  // all modules of multi-token prediction, in no other figure; without what they share with the model
  int64_t mtp_active = 0;

  int64_t attention = 0, dense_mlp = 0, shared_experts = 0, routed_experts = 0, routers = 0, norms = 0;  // sums over layers
  int64_t total() const {
    return embedding + lm_head + attention + dense_mlp + shared_experts + routed_experts + routers + norms;
  }
  int64_t active = 0;            // used by one token, embedding and head included
  int64_t active_matmul = 0;     // matrices that a token multiplies: no embedding table, no norms, no biases
  int64_t head_matmul = 0;       // the output head's share of active_matmul, also when tied
  int64_t routed_per_token = 0;  // the routed experts' share of active_matmul
};

ModelParameters model_parameters(const ModelConfig& config);

}  // namespace minke::plan
