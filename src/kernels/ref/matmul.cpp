#include <vector>

#include "kernels/dequantize.h"
#include "kernels/ref/ref.h"

namespace minke::ref {

void matmul(Rows out, ConstRows x, const Weight& w, int64_t n_tokens, int64_t begin, int64_t end) {
  std::vector<float> row(static_cast<size_t>(w.n_cols));
  for (int64_t j = begin; j < end; j++) {
    dequantize_part(row.data(), w, j, 0, w.n_cols, kBaselineDequantize);
    for (int64_t i = 0; i < n_tokens; i++) {
      const float* x_row = x.data + i * x.stride;
      double sum = 0;
      for (int64_t c = 0; c < w.n_cols; c++) sum += double{x_row[c]} * double{row[static_cast<size_t>(c)]};
      out.data[i * out.stride + j] = static_cast<float>(sum);
    }
  }
}

void matmul_transposed(Rows out, ConstRows x, const Weight& w, int64_t begin, int64_t end) {
  const size_t k = static_cast<size_t>(w.n_cols);
  std::vector<float> row(k);
  std::vector<double> sums(static_cast<size_t>(end - begin) * k);
  for (int64_t j = 0; j < w.n_rows; j++) {
    dequantize_part(row.data(), w, j, 0, w.n_cols, kBaselineDequantize);
    for (int64_t i = begin; i < end; i++) {
      const double factor = x.data[i * x.stride + j];
      double* sum = sums.data() + static_cast<size_t>(i - begin) * k;
      for (size_t c = 0; c < k; c++) sum[c] += factor * double{row[c]};
    }
  }
  for (int64_t i = begin; i < end; i++) {
    for (size_t c = 0; c < k; c++) {
      out.data[i * out.stride + static_cast<int64_t>(c)] = static_cast<float>(sums[static_cast<size_t>(i - begin) * k + c]);
    }
  }
}

}  // namespace minke::ref
