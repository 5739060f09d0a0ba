// The row-wise operations: norm.h, activation.h, softmax.h, elementwise.h. Each row (or range) is one thread's.
#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "kernels/activation.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/elementwise.h"
#include "kernels/norm.h"
#include "kernels/ref/ref.h"
#include "kernels/softmax.h"

namespace minke {
namespace {

// Elements below which a thread is not worth waking.
constexpr int64_t kMinElements = 8192;

int64_t rows_grain(int64_t dim) { return std::max(kMinElements / std::max(dim, int64_t{1}), int64_t{1}); }

void check_rows(int64_t n_rows, int64_t dim, int64_t stride, const char* what) {
  CHECK(n_rows >= 0 && dim >= 0, "{} [{}, {}]", what, n_rows, dim);
  CHECK(stride >= dim || n_rows <= 1, "{} [{}, {}] with stride {}", what, n_rows, dim, stride);
}

template <typename Each>
void for_rows(int64_t n_rows, int64_t dim, const Context& context, Each each) {
  context.parallel_for(n_rows, rows_grain(dim), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) each(i);
  });
}

void softmax_row(float* out, const float* x, int64_t dim, const KernelTable& table) {
  const float sum = table.exp_row(out, x, table.row_max(x, dim), dim);
  const float inverse = 1.0f / sum;
  for (int64_t c = 0; c < dim; c++) out[c] *= inverse;
}

void log_softmax_row(float* out, const float* x, int64_t dim, const KernelTable& table) {
  const float max = table.row_max(x, dim);
  // x - max and the logarithm are subtracted one after the other: their sum would lose the small digits of x - max.
  const float log_sum = std::log(table.exp_sum(x, max, dim));
  for (int64_t c = 0; c < dim; c++) out[c] = (x[c] - max) - log_sum;
}

// scratch [2 * dim]
float entropy_row(float* scratch, const float* x, int64_t dim, const KernelTable& table) {
  float *y = scratch, *e = scratch + dim;
  const float max = table.row_max(x, dim);
  for (int64_t c = 0; c < dim; c++) y[c] = x[c] - max;
  const float sum = table.exp_row(e, y, 0.0f, dim);
  return std::log(sum) - table.dot_row(e, y, dim) / sum;
}

// part(begin, n) for parts of [0, n).
template <typename Part>
void for_parts(int64_t n, const Context& context, Part part) {
  CHECK(n >= 0, "n = {}", n);
  context.parallel_for(n, kMinElements, [&](int64_t begin, int64_t end) { part(begin, end - begin); });
}

}  // namespace

void rms_norm(Rows out, ConstRows x, const float* weight, int64_t n_rows, int64_t dim, float eps, const Context& context) {
  check_rows(n_rows, dim, x.stride, "x");
  check_rows(n_rows, dim, out.stride, "out");
  auto one_row = context.isa == Isa::kRef ? ref::rms_norm_row : kernels(context.isa).rms_norm_row;
  for_rows(n_rows, dim, context,
           [&](int64_t i) { one_row(out.data + i * out.stride, x.data + i * x.stride, weight, dim, eps); });
}

void rms_norm(float* out, const float* x, const float* weight, int64_t n_rows, int64_t dim, float eps, const Context& context) {
  rms_norm(Rows{out, dim}, ConstRows{x, dim}, weight, n_rows, dim, eps, context);
}

void swiglu(float* out, const float* gate, const float* up, int64_t n, const Context& context) {
  CHECK(n >= 0, "n = {}", n);
  auto part = context.isa == Isa::kRef ? ref::swiglu : kernels(context.isa).swiglu;
  context.parallel_for(n, kMinElements,
                       [&](int64_t begin, int64_t end) { part(out + begin, gate + begin, up + begin, end - begin); });
}

void swiglu(Rows out, ConstRows gate, ConstRows up, int64_t n_rows, int64_t dim, const Context& context) {
  check_rows(n_rows, dim, out.stride, "out");
  check_rows(n_rows, dim, gate.stride, "gate");
  check_rows(n_rows, dim, up.stride, "up");
  auto part = context.isa == Isa::kRef ? ref::swiglu : kernels(context.isa).swiglu;
  for_rows(n_rows, dim, context,
           [&](int64_t i) { part(out.data + i * out.stride, gate.data + i * gate.stride, up.data + i * up.stride, dim); });
}

void softmax(float* out, const float* x, int64_t n_rows, int64_t dim, const Context& context) {
  check_rows(n_rows, dim, dim, "x");
  for_rows(n_rows, dim, context, [&](int64_t i) {
    if (context.isa == Isa::kRef) return ref::softmax_row(out + i * dim, x + i * dim, dim);
    softmax_row(out + i * dim, x + i * dim, dim, kernels(context.isa));
  });
}

void log_softmax(float* out, const float* x, int64_t n_rows, int64_t dim, const Context& context) {
  check_rows(n_rows, dim, dim, "x");
  for_rows(n_rows, dim, context, [&](int64_t i) {
    if (context.isa == Isa::kRef) return ref::log_softmax_row(out + i * dim, x + i * dim, dim);
    log_softmax_row(out + i * dim, x + i * dim, dim, kernels(context.isa));
  });
}

void entropy(float* out, const float* x, int64_t n_rows, int64_t dim, const Context& context) {
  check_rows(n_rows, dim, dim, "x");
  context.parallel_for(n_rows, rows_grain(dim), [&](int64_t begin, int64_t end) {
    std::vector<float> scratch(static_cast<size_t>(2 * dim));
    for (int64_t i = begin; i < end; i++) {
      out[i] = context.isa == Isa::kRef ? ref::entropy_row(x + i * dim, dim)
                                        : entropy_row(scratch.data(), x + i * dim, dim, kernels(context.isa));
    }
  });
}

void add(float* out, const float* a, const float* b, int64_t n, const Context& context) {
  auto row = context.isa == Isa::kRef ? ref::add_row : kernels(context.isa).add_row;
  for_parts(n, context, [=](int64_t i, int64_t count) { row(out + i, a + i, b + i, count); });
}

void scale(float* out, const float* x, float factor, int64_t n, const Context& context) {
  auto row = context.isa == Isa::kRef ? ref::scale_row : kernels(context.isa).scale_row;
  for_parts(n, context, [=](int64_t i, int64_t count) { row(out + i, x + i, factor, count); });
}

void axpy(float* out, float factor, const float* x, int64_t n, const Context& context) {
  auto row = context.isa == Isa::kRef ? ref::axpy_row : kernels(context.isa).axpy_row;
  for_parts(n, context, [=](int64_t i, int64_t count) { row(out + i, factor, x + i, count); });
}

void add_bias(float* out, const float* x, const float* bias, int64_t n_rows, int64_t dim, const Context& context) {
  check_rows(n_rows, dim, dim, "x");
  for_rows(n_rows, dim, context, [&](int64_t i) { add(out + i * dim, x + i * dim, bias, dim, {nullptr, context.isa}); });
}

}  // namespace minke
