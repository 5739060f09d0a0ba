#include "kernels/matmul.h"

namespace minke {

void matmul(Rows out, ConstRows x, const Weight& w, int64_t n_tokens, Accumulate accumulate, const Context& context) {
  const MatmulJob job = {out, x, &w, n_tokens, nullptr};
  matmul_group({&job, 1}, accumulate, context);
}

void matmul_transposed(Rows out, ConstRows x, const Weight& w, int64_t n_tokens, Accumulate accumulate,
                       const Context& context) {
  const MatmulJob job = {out, x, &w, n_tokens, nullptr};
  matmul_transposed_group({&job, 1}, accumulate, context);
}

void matmul_gradient(const WeightGradient& d_w, ConstRows d_out, ConstRows x, int64_t n_tokens, const Context& context) {
  const GradientJob job = {d_w, d_out, x, n_tokens, nullptr, nullptr};
  matmul_gradient_group({&job, 1}, context);
}

void matmul(Rows out, ConstRows x, const Weight& w, int64_t n_tokens, const Context& context) {
  matmul(out, x, w, n_tokens, Accumulate::kOverwrite, context);
}

void matmul_transposed(Rows out, ConstRows x, const Weight& w, int64_t n_tokens, const Context& context) {
  matmul_transposed(out, x, w, n_tokens, Accumulate::kOverwrite, context);
}

void matmul(float* out, const float* x, const Weight& w, int64_t n_tokens, const Context& context) {
  matmul(Rows{out, w.n_rows}, ConstRows{x, w.n_cols}, w, n_tokens, context);
}

void matmul_transposed(float* out, const float* x, const Weight& w, int64_t n_tokens, const Context& context) {
  matmul_transposed(Rows{out, w.n_cols}, ConstRows{x, w.n_rows}, w, n_tokens, context);
}

}  // namespace minke
