#include <vector>

#include "kernels/dequantize.h"
#include "kernels/ref/ref.h"

namespace minke::ref {
namespace {

const float* row_at(ConstRows x, const int32_t* rows, int64_t t) {
  return x.data + (rows == nullptr ? t : int64_t{rows[t]}) * x.stride;
}

void put(float& out, double sum, Accumulate accumulate) {
  out = static_cast<float>(accumulate == Accumulate::kAdd ? double{out} + sum : sum);
}

}  // namespace

void matmul(const MatmulJob& job, Accumulate accumulate, int64_t begin, int64_t end) {
  const Weight& w = *job.w;
  std::vector<float> row(static_cast<size_t>(w.n_cols));
  for (int64_t j = begin; j < end; j++) {
    dequantize_part(row.data(), w, j, 0, w.n_cols, kBaselineDequantize);
    for (int64_t i = 0; i < job.n_tokens; i++) {
      const float* x_row = row_at(job.x, job.token_rows, i);
      double sum = 0;
      for (int64_t c = 0; c < w.n_cols; c++) sum += double{x_row[c]} * double{row[static_cast<size_t>(c)]};
      put(job.out.data[i * job.out.stride + j], sum, accumulate);
    }
  }
}

void matmul_transposed(const MatmulJob& job, Accumulate accumulate, int64_t begin, int64_t end) {
  const Weight& w = *job.w;
  const size_t k = static_cast<size_t>(w.n_cols);
  std::vector<float> row(k);
  std::vector<double> sums(static_cast<size_t>(end - begin) * k);
  for (int64_t j = 0; j < w.n_rows; j++) {
    dequantize_part(row.data(), w, j, 0, w.n_cols, kBaselineDequantize);
    for (int64_t i = begin; i < end; i++) {
      const double factor = row_at(job.x, job.token_rows, i)[j];
      double* sum = sums.data() + static_cast<size_t>(i - begin) * k;
      for (size_t c = 0; c < k; c++) sum[c] += factor * double{row[c]};
    }
  }
  for (int64_t i = begin; i < end; i++) {
    const double* sum = sums.data() + static_cast<size_t>(i - begin) * k;
    for (size_t c = 0; c < k; c++) put(job.out.data[i * job.out.stride + static_cast<int64_t>(c)], sum[c], accumulate);
  }
}

void matmul_gradient(const GradientJob& job, int64_t begin, int64_t end) {
  for (int64_t j = begin; j < end; j++) {
    for (int64_t c = 0; c < job.d_w.n_cols; c++) {
      double sum = 0;
      for (int64_t i = 0; i < job.n_tokens; i++) {
        sum += double{row_at(job.d_out, job.d_out_rows, i)[j]} * double{row_at(job.x, job.x_rows, i)[c]};
      }
      put(job.d_w.data[j * job.d_w.n_cols + c], sum, Accumulate::kAdd);
    }
  }
}

}  // namespace minke::ref
