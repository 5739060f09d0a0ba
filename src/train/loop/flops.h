// Model FLOPs of training: what the mathematics needs and no more (recomputation, attention that is masked away and the
// optimizer do not count), the measure of MFU (Chowdhery et al., PaLM, appendix B).
#pragma once

#include <cstdint>
#include <span>

#include "model/config.h"

namespace minke {

class TrainingFlops {
 public:
  explicit TrainingFlops(const ModelConfig& config);
  // With this many elements of adapters and all else frozen: no gradients of the weights, which is a third less.
  TrainingFlops(const ModelConfig& config, int64_t n_adapter_elements);

  // Forward and backward of sequences of these lengths: two operations a multiply-add, the backward pass twice the forward.
  // Every token counts once for each matrix that it meets (of the experts those that it chooses; not the embedding, which is
  // looked up), and its query meets the keys up to its own position.
  double of(std::span<const int64_t> piece_lengths) const;

 private:
  double per_token_ = 0;  // forward, products with weights
  double per_pair_ = 0;   // forward, of a query and a key in all layers
  double mtp_per_token_ = 0, mtp_per_pair_ = 0;
  double adapter_per_token_ = 0;
  double passes_ = 3;  // how often products with the weights are made: forward, and backward for inputs and weights
};

}  // namespace minke
