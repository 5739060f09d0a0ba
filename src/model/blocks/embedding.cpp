#include "model/blocks/embedding.h"

#include "kernels/backward.h"
#include "kernels/convert.h"
#include "kernels/elementwise.h"

namespace minke {

void embed(float* hidden, const Weight& embedding, const Step& step) {
  int64_t dim = step.config.hidden_size;
  step.context.parallel_for(step.n_tokens, 16, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; t++) {
      dequantize_weight_rows(hidden + t * dim, embedding, step.batch.tokens[static_cast<size_t>(t)], 1);
    }
  });
  float multiplier = static_cast<float>(step.config.embedding_multiplier);
  if (multiplier != 1.0f) scale(hidden, hidden, multiplier, step.n_tokens * dim, step.context);
}

void embed_backward(const float* d_hidden, const Weight& embedding, const Step& step) {
  if (embedding.gradient == nullptr) return;
  scatter_rows(embedding.gradient, step.batch.tokens.data(), d_hidden, static_cast<float>(step.config.embedding_multiplier),
               step.n_tokens, step.config.hidden_size, step.context);
}

}  // namespace minke
