// What running a model costs at least, from its configuration and the dtypes of its weights alone: bytes of weights that a
// step reads, operations of their products. The figures that measured speeds are divided by.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "format/model_file.h"
#include "model/config.h"
#include "model/weights.h"

namespace minke {

class ModelCost {
 public:
  explicit ModelCost(const ModelConfig& config) : config_(config) {}

  // Takes the rows of a model one by one, each with the dtype that the file has.
  void add(const WeightRow& row, DType dtype);

  // Bytes of weights that one step of n_tokens reads: every matrix and vector once, of the routed experts the share that n
  // independent even draws touch, 1 - (1 - n_experts_per_token / n_routed_experts)^n. Rows of the embedding are left out,
  // the scales of FP8 checkpoints too.
  double weight_bytes(int64_t n_tokens) const;
  // Operations of all products with weights, two for each multiply-add. Attention's own products are not among them.
  double operations(int64_t n_tokens, int64_t n_logits) const;
  // Those of the routed experts among them, of one token.
  double expert_operations() const { return 2.0 * static_cast<double>(expert_products_) * expert_share(1); }
  // What most of these products multiply when weights are packed: bytes with quantised ones, bf16 with those, else f32.
  enum class Factors : uint8_t { kF32, kBf16, kBytes };
  Factors factors() const {
    return 2 * n_quantised_ > n_active_ ? Factors::kBytes : 2 * n_bf16_ > n_active_ ? Factors::kBf16 : Factors::kF32;
  }

 private:
  double expert_share(int64_t n_tokens) const;

  ModelConfig config_;
  // By the part of a model that is read in a different way.
  uint64_t shared_bytes_ = 0, head_bytes_ = 0, expert_bytes_ = 0;
  int64_t shared_products_ = 0, head_products_ = 0, expert_products_ = 0;  // multiply-adds of one token, all experts
  double n_active_ = 0, n_quantised_ = 0, n_bf16_ = 0;                     // multiply-adds of one token
};

// Of opened files, whose tensors must be those of the configuration.
Result<ModelCost> model_cost(const ModelFiles& files, const ModelConfig& config);

}  // namespace minke
