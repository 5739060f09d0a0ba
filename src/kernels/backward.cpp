#include "kernels/backward.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/elementwise.h"
#include "kernels/ref/ref.h"
#include "kernels/softmax.h"

namespace minke {
namespace {

constexpr int64_t kMinElements = 8192;  // below it a thread is not worth waking
constexpr int64_t kColumns = 64;        // of a part, where threads share columns

int64_t rows_grain(int64_t dim) { return std::max(kMinElements / std::max(dim, int64_t{1}), int64_t{1}); }

// Every thread takes some columns of all rows, so that each sum has the order of the rows.
template <typename Run>
void for_columns(int64_t n_rows, int64_t dim, const Context& context, Run run) {
  const int64_t grain = std::max(kMinElements / std::max(n_rows, int64_t{1}) / kColumns * kColumns, kColumns);
  context.parallel_for(dim, grain, run);
}

}  // namespace

void rms_norm_backward(Rows d_x, float* d_weight, ConstRows d_out, ConstRows x, const float* weight, int64_t n_rows,
                       int64_t dim, float eps, const Context& context) {
  CHECK(n_rows >= 0 && dim > 0, "x [{}, {}]", n_rows, dim);
  auto one_row = context.isa == Isa::kRef ? ref::rms_norm_backward_row : kernels(context.isa).rms_norm_backward_row;
  auto add_product = context.isa == Isa::kRef ? ref::add_product : kernels(context.isa).add_product;
  std::vector<float> rstd(static_cast<size_t>(n_rows));
  context.parallel_for(n_rows, rows_grain(dim), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      rstd[static_cast<size_t>(i)] =
          one_row(d_x.data + i * d_x.stride, d_out.data + i * d_out.stride, x.data + i * x.stride, weight, dim, eps);
    }
  });
  if (d_weight == nullptr) return;
  for_columns(n_rows, dim, context, [&](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < n_rows; i++) {
      add_product(d_weight + begin, d_out.data + i * d_out.stride + begin, x.data + i * x.stride + begin,
                  rstd[static_cast<size_t>(i)], end - begin);
    }
  });
}

void swiglu_backward(float* d_gate, float* d_up, const float* d_out, const float* gate, const float* up, int64_t n,
                     const Context& context) {
  CHECK(n >= 0, "n = {}", n);
  auto part = context.isa == Isa::kRef ? ref::swiglu_backward : kernels(context.isa).swiglu_backward;
  context.parallel_for(n, kMinElements, [&](int64_t begin, int64_t end) {
    part(d_gate + begin, d_up + begin, d_out + begin, gate + begin, up + begin, end - begin);
  });
}

void sum_rows(float* d_vector, ConstRows d_out, int64_t n_rows, int64_t dim, const Context& context) {
  for_columns(n_rows, dim, context, [&](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < n_rows; i++) {
      add(d_vector + begin, d_vector + begin, d_out.data + i * d_out.stride + begin, end - begin, {nullptr, context.isa});
    }
  });
}

void scatter_rows(float* d_table, const int32_t* tokens, const float* d_rows, float factor, int64_t n_rows, int64_t dim,
                  const Context& context) {
  for_columns(n_rows, dim, context, [&](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < n_rows; i++) {
      axpy(d_table + tokens[i] * dim + begin, factor, d_rows + i * dim + begin, end - begin, {nullptr, context.isa});
    }
  });
}

void cross_entropy(float* losses, float* logits, const int32_t* targets, const float* weights, int64_t n_rows, int64_t dim,
                   const Context& context) {
  auto one_row = context.isa == Isa::kRef
                     ? ref::cross_entropy_row
                     : [](float* row, int32_t target, const float* weight, int64_t n, const KernelTable* table) {
                         const float max = table->row_max(row, n), at_target = row[target];
                         const float sum = weight == nullptr ? table->exp_sum(row, max, n) : table->exp_row(row, row, max, n);
                         if (weight != nullptr) {
                           table->scale_row(row, row, *weight / sum, n);
                           row[target] -= *weight;
                         }
                         return std::log(sum) - (at_target - max);
                       };
  const KernelTable* table = context.isa == Isa::kRef ? nullptr : &kernels(context.isa);
  context.parallel_for(n_rows, rows_grain(dim), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      float* row = logits + i * dim;
      if (weights != nullptr && weights[i] == 0.0f) {
        std::fill_n(row, dim, 0.0f);
        losses[i] = 0.0f;
        continue;
      }
      CHECK(targets[i] >= 0 && targets[i] < dim, "target {} of {}", targets[i], dim);
      losses[i] = one_row(row, targets[i], weights == nullptr ? nullptr : weights + i, dim, table);
    }
  });
}

namespace {

// From ln p and ln q; see divergence.
float divergence_row(float* logprobs, float* teacher, float weight, int64_t dim, const KernelTable* table) {
  for (int64_t c = 0; c < dim; c++) teacher[c] = logprobs[c] - teacher[c];
  if (table != nullptr) {
    table->exp_row(logprobs, logprobs, 0.0f, dim);
  } else {
    for (int64_t c = 0; c < dim; c++) logprobs[c] = std::exp(logprobs[c]);
  }
  double loss = 0;
  for (int64_t c = 0; c < dim; c++) loss += double{logprobs[c]} * teacher[c];
  const auto mean = static_cast<float>(loss);
  for (int64_t c = 0; c < dim; c++) logprobs[c] *= weight * (teacher[c] - mean);
  return mean;
}

}  // namespace

void divergence(float* losses, float* logits, float* teacher, const float* weights, int64_t n_rows, int64_t dim,
                const Context& context) {
  log_softmax(logits, logits, n_rows, dim, context);
  log_softmax(teacher, teacher, n_rows, dim, context);
  const KernelTable* table = context.isa == Isa::kRef ? nullptr : &kernels(context.isa);
  context.parallel_for(n_rows, rows_grain(dim), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      losses[i] = divergence_row(logits + i * dim, teacher + i * dim, weights[i], dim, table);
    }
  });
}

}  // namespace minke
