#include "train/loop/flops.h"

#include "model/weights.h"

namespace minke {
namespace {

constexpr double kPerMultiplyAdd = 2;
constexpr double kForwardAndBackward = 3;
constexpr double kWithoutWeightGradients = 2;

}  // namespace

TrainingFlops::TrainingFlops(const ModelConfig& c) {
  ModelWeights weights;
  for (const WeightRow& row : weight_rows(c, weights, false)) {
    if (row.matrix == nullptr || row.shape.size() != 2 || row.kind == WeightKind::kEmbedding) continue;
    double share = 1;
    if (row.expert >= 0) {
      share = static_cast<double>(c.moe.n_experts_per_token) / static_cast<double>(c.moe.n_routed_experts);
    }
    const double flops = kPerMultiplyAdd * share * static_cast<double>(row.shape[0]) * static_cast<double>(row.shape[1]);
    (row.layer >= c.n_layers ? mtp_per_token_ : per_token_) += flops;
  }
  const double head = kPerMultiplyAdd * static_cast<double>(c.vocab_size) * static_cast<double>(c.hidden_size);
  if (c.tied_embeddings) per_token_ += head;  // the head has no row of its own
  const double pair =
      kPerMultiplyAdd * static_cast<double>(c.n_heads) * static_cast<double>(c.qk_head_dim() + c.value_head_dim());
  per_pair_ = pair * static_cast<double>(c.n_layers);
  mtp_per_pair_ = pair * static_cast<double>(c.n_mtp_layers);
}

TrainingFlops::TrainingFlops(const ModelConfig& c, int64_t n_adapter_elements) : TrainingFlops(c) {
  adapter_per_token_ = kPerMultiplyAdd * static_cast<double>(n_adapter_elements);
  passes_ = kWithoutWeightGradients;
}

double TrainingFlops::of(std::span<const int64_t> piece_lengths) const {
  double flops = 0;
  for (const int64_t length : piece_lengths) {
    const auto n = static_cast<double>(length);
    flops += passes_ * (n * per_token_ + (n - 1) * mtp_per_token_);
    flops += kForwardAndBackward * (n * adapter_per_token_ + n * (n + 1) / 2 * per_pair_ + (n - 1) * n / 2 * mtp_per_pair_);
  }
  return flops;
}

}  // namespace minke
