#include "quantize/collect.h"

namespace minke {
namespace {

bool is_collected(WeightKind kind) {
  return kind == WeightKind::kLinear || kind == WeightKind::kExpert || kind == WeightKind::kRouter;
}

}  // namespace

Result<ImportanceCollector> ImportanceCollector::create(const Model& model, const Context& context) {
  ImportanceCollector collector(context);
  ModelWeights unused;
  for (const BoundRow& bound : TRY(bind_weights(model.files(), model.config(), unused))) {
    const WeightRow& row = bound.row;
    const bool is_run = row.layer < model.config().n_layers;  // a multi-token prediction layer is not, by a plain forward
    if (row.matrix == nullptr || !is_collected(row.kind) || !is_run) continue;
    if (row.gguf_name.empty()) return error("{} has no name in GGUF, which importances go by", row.name);
    ColumnSums& sums = collector.importance_.tensors[row.gguf_name];
    const bool is_expert = row.expert >= 0;
    sums.n_matrices = is_expert ? model.config().moe.n_routed_experts : 1;
    sums.n_cols = row.shape.back();
    sums.squares.resize(static_cast<size_t>(sums.n_matrices * sums.n_cols));
    sums.counts.resize(static_cast<size_t>(sums.n_matrices));
    const bool is_stacked = is_expert && bound.tensor->shape.size() == 3;
    const std::byte* data = is_stacked ? TRY(make_stacked_weight(*bound.tensor, row.expert)).data : bound.tensor->data;
    collector.places_[data] = {&sums, is_expert ? row.expert : 0};
  }
  return collector;
}

ActivationSink ImportanceCollector::sink() {
  ActivationSink sink;
  sink.product = [this](const Weight& w, ConstRows x, int64_t n_tokens, const int32_t* token_rows) {
    add(w, x, n_tokens, token_rows);
  };
  return sink;
}

void ImportanceCollector::add(const Weight& w, ConstRows x, int64_t n_tokens, const int32_t* token_rows) {
  auto place = places_.find(w.data);
  if (place == places_.end()) return;
  constexpr int64_t kGrain = 64;
  ColumnSums& sums = *place->second.sums;
  double* squares = sums.squares.data() + place->second.matrix * sums.n_cols;
  // Columns are split over threads, tokens are added in order: the sums do not depend on the number of threads.
  context_.parallel_for(sums.n_cols, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t t = 0; t < n_tokens; t++) {
      const float* row = x.data + (token_rows == nullptr ? t : token_rows[t]) * x.stride;
      for (int64_t c = begin; c < end; c++) squares[c] += static_cast<double>(row[c]) * row[c];
    }
  });
  sums.counts[static_cast<size_t>(place->second.matrix)] += n_tokens;
}

}  // namespace minke
