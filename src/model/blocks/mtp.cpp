#include "model/blocks/mtp.h"

#include "kernels/norm.h"

namespace minke {

void mtp_join(float* out, const float* embedded, const float* hidden, const MtpWeights& w, const Step& step) {
  int64_t n = step.n_tokens, dim = step.config.hidden_size;
  float eps = static_cast<float>(step.config.rms_norm_eps);
  Arena::Mark mark = step.arena.mark();
  float* joined = step.arena.allocate<float>(n * 2 * dim);  // [n_tokens, 2 * hidden_size]
  rms_norm({joined, 2 * dim}, {embedded, dim}, w.embedding_norm.data(), n, dim, eps, step.context);
  rms_norm({joined + dim, 2 * dim}, {hidden, dim}, w.hidden_norm.data(), n, dim, eps, step.context);
  linear(out, activations(joined, n, 2 * dim, codings_of(w.eh_proj.weight), step), w.eh_proj, step);
  step.arena.rewind(mark);
}

}  // namespace minke
