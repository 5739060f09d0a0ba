#include "kernels/attention/backward.h"

#include <algorithm>

#include "kernels/cpu/dispatch.h"
#include "kernels/elementwise.h"
#include "kernels/ref/ref.h"
#include "kernels/softmax.h"

namespace minke {
namespace {

ConstRows from_row(ConstRows rows, int64_t first) { return {rows.data + first * rows.stride, rows.stride}; }

}  // namespace

int64_t attend_backward_scratch(int64_t n_tokens) { return 2 * kBackwardQueries * n_tokens; }

void attend_backward(const HeadBackward& h, float* scratch, Isa isa) {
  const Context context{nullptr, isa};
  auto softmax_backward_row = isa == Isa::kRef ? ref::softmax_backward_row : kernels(isa).softmax_backward_row;
  float* p = scratch;                                    // [kBackwardQueries, n_keys]
  float* d_s = scratch + kBackwardQueries * h.n_tokens;  // [kBackwardQueries, n_keys]
  for (int64_t first = 0; first < h.n_tokens; first += kBackwardQueries) {
    const int64_t n = std::min(kBackwardQueries, h.n_tokens - first), n_keys = first + n;
    const ConstRows q = from_row(h.q, first), d_out = from_row(h.d_out, first);
    const SmallShape keys = {n, n_keys, h.key_dim}, values = {n, n_keys, h.value_dim};
    small_matmul({p, n_keys}, q, h.k, keys, Accumulate::kOverwrite, isa);
    small_matmul({d_s, n_keys}, d_out, h.v, values, Accumulate::kOverwrite, isa);
    for (int64_t i = 0; i < n; i++) {
      const int64_t n_visible = first + i + 1;
      float *p_row = p + i * n_keys, *d_row = d_s + i * n_keys;
      scale(p_row, p_row, h.softmax_scale, n_visible, context);
      softmax(p_row, p_row, 1, n_visible, context);
      softmax_backward_row(d_row, p_row, h.softmax_scale, n_visible);
      std::fill(p_row + n_visible, p_row + n_keys, 0.0f);
      std::fill(d_row + n_visible, d_row + n_keys, 0.0f);
    }
    const Rows d_q = {h.d_q.data + first * h.d_q.stride, h.d_q.stride};
    small_matmul_transposed(d_q, {d_s, n_keys}, h.k, keys, Accumulate::kOverwrite, isa);
    small_matmul_gradient(h.d_k, {d_s, n_keys}, q, keys, Accumulate::kAdd, isa);
    small_matmul_gradient(h.d_v, {p, n_keys}, d_out, values, Accumulate::kAdd, isa);
  }
}

}  // namespace minke
