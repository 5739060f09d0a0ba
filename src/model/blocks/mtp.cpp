#include "model/blocks/mtp.h"

#include "kernels/backward.h"
#include "kernels/norm.h"

namespace minke {

namespace {

// [n_tokens, 2 * hidden_size], in new scratch.
float* join(const float* embedded, const float* hidden, const MtpWeights& w, const Step& step) {
  int64_t n = step.n_tokens, dim = step.config.hidden_size;
  float eps = static_cast<float>(step.config.rms_norm_eps);
  float* joined = step.arena.allocate<float>(n * 2 * dim);
  rms_norm({joined, 2 * dim}, {embedded, dim}, w.embedding_norm.data(), n, dim, eps, step.context);
  rms_norm({joined + dim, 2 * dim}, {hidden, dim}, w.hidden_norm.data(), n, dim, eps, step.context);
  return joined;
}

}  // namespace

void mtp_join(float* out, const float* embedded, const float* hidden, const MtpWeights& w, const Step& step) {
  int64_t n = step.n_tokens, dim = step.config.hidden_size;
  Arena::Mark mark = step.arena.mark();
  float* joined = join(embedded, hidden, w, step);
  linear(out, activations(joined, n, 2 * dim, codings_of(w.eh_proj.weight), step), w.eh_proj, step);
  step.arena.rewind(mark);
}

void mtp_join_backward(float* d_embedded, float* d_hidden, const float* d_out, const float* embedded, const float* hidden,
                       const MtpWeights& w, const Step& step) {
  const int64_t n = step.n_tokens, dim = step.config.hidden_size;
  const float eps = static_cast<float>(step.config.rms_norm_eps);
  const Arena::Mark mark = step.arena.mark();
  float* joined = join(embedded, hidden, w, step);
  float* d_joined = zeros(n * 2 * dim, step);
  linear_backward(d_joined, d_out, joined, w.eh_proj, n, step);
  rms_norm_backward({d_embedded, dim}, w.embedding_norm.gradient, {d_joined, 2 * dim}, {embedded, dim}, w.embedding_norm.data(),
                    n, dim, eps, step.context);
  rms_norm_backward({d_hidden, dim}, w.hidden_norm.gradient, {d_joined + dim, 2 * dim}, {hidden, dim}, w.hidden_norm.data(), n,
                    dim, eps, step.context);
  step.arena.rewind(mark);
}

}  // namespace minke
