#include "measure/model_cost.h"

#include <cmath>

#include "base/check.h"
#include "model/loader.h"

namespace minke {

void ModelCost::add(const WeightRow& row, DType dtype) {
  auto n_bytes = tensor_bytes(dtype, row.shape);
  CHECK(n_bytes.has_value(), "{}: {}", row.name, n_bytes.error().message);
  const int64_t n_elements = TensorView{dtype, row.shape, nullptr}.n_elements();
  const bool is_head = row.kind == WeightKind::kLmHead || (row.kind == WeightKind::kEmbedding && config_.tied_embeddings);
  if (row.kind == WeightKind::kEmbedding && !is_head) return;
  const bool is_expert = row.kind == WeightKind::kExpert;
  (is_head ? head_bytes_ : is_expert ? expert_bytes_ : shared_bytes_) += *n_bytes;
  if (row.shape.size() < 2) return;  // norms and biases
  (is_head ? head_products_ : is_expert ? expert_products_ : shared_products_) += n_elements;
  const double active = static_cast<double>(n_elements) * (is_expert ? expert_share(1) : 1.0);
  n_active_ += active;
  if (dtype_info(dtype).is_quantized) n_quantised_ += active;
  if (dtype == DType::kBF16) n_bf16_ += active;
}

double ModelCost::expert_share(int64_t n_tokens) const {
  if (config_.moe.n_routed_experts == 0) return 0;
  const double share = static_cast<double>(config_.moe.n_experts_per_token) / static_cast<double>(config_.moe.n_routed_experts);
  return 1.0 - std::pow(1.0 - share, static_cast<double>(n_tokens));
}

double ModelCost::weight_bytes(int64_t n_tokens) const {
  return static_cast<double>(shared_bytes_ + head_bytes_) + static_cast<double>(expert_bytes_) * expert_share(n_tokens);
}

double ModelCost::operations(int64_t n_tokens, int64_t n_logits) const {
  const double of_token = static_cast<double>(shared_products_) + static_cast<double>(expert_products_) * expert_share(1);
  return 2.0 * (of_token * static_cast<double>(n_tokens) + static_cast<double>(head_products_) * static_cast<double>(n_logits));
}

Result<ModelCost> model_cost(const ModelFiles& files, const ModelConfig& config) {
  ModelWeights unused;
  ModelConfig whole = config;  // a model may have been loaded without its layers of multi-token prediction
  whole.n_mtp_layers = TRY(read_model_config(files)).n_mtp_layers;
  ModelCost cost(config);
  for (const BoundRow& bound : TRY(bind_weights(files, whole, unused))) {
    if (bound.row.layer < config.n_layers) cost.add(bound.row, bound.tensor->dtype);
  }
  return cost;
}

}  // namespace minke
