#include "serve/embedding.h"

#include <algorithm>
#include <cmath>

namespace minke::serve {
namespace {

constexpr size_t kChunkTokens = 512;

}  // namespace

Result<std::vector<float>> embed_tokens(Model& model, std::span<const TokenId> tokens, DType kv, const Context& context) {
  const auto dim = static_cast<size_t>(model.config().hidden_size);
  KvCache cache(model.config(), static_cast<int64_t>(tokens.size()), kv);
  SequenceCache sequence;
  std::vector<double> sum(dim, 0.0);
  std::vector<float> logits, hidden;
  for (size_t begin = 0; begin < tokens.size(); begin += kChunkTokens) {
    const auto chunk = tokens.subspan(begin, std::min(kChunkTokens, tokens.size() - begin));
    Batch batch;
    batch.tokens.assign(chunk.begin(), chunk.end());
    batch.sequences = {{&sequence, static_cast<int64_t>(chunk.size()), MlaForm::kNaive}};
    batch.hidden = &hidden;
    TRY(model.forward(logits, batch, cache, context));
    for (size_t i = 0; i < hidden.size(); i++) sum[i % dim] += static_cast<double>(hidden[i]);
  }
  double squares = 0;
  for (double value : sum) squares += value * value;
  const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
  std::vector<float> out(dim);
  std::transform(sum.begin(), sum.end(), out.begin(), [&](double value) { return static_cast<float>(value * scale); });
  return out;
}

}  // namespace minke::serve
