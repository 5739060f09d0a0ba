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

  // Forward and backward of sequences of these lengths: two operations a multiply-add, the backward pass twice the forward.
  // Every token counts once for each matrix that it meets (of the experts those that it chooses; not the embedding, which is
  // looked up), and its query meets the keys up to its own position.
  double of(std::span<const int64_t> piece_lengths) const;

 private:
  double per_token_ = 0;     // forward, products with weights
  double per_pair_ = 0;      // forward, of a query and a key in all layers
  double mtp_per_token_ = 0, mtp_per_pair_ = 0;
};

}  // namespace minke
