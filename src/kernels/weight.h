// A matrix of a model as the kernels see it: [n_rows, n_cols] in any float or quantised dtype, a row per output, rows
// contiguous. FP8 checkpoints add one scale per block of block_rows x block_cols elements: W[r, c] = w[r, c] *
// scale[r / block_rows, c / block_cols]; the last block of a row or column may be partial.
// Quantised and bf16 weights may be packed into panels of 16 rows (kernels/packed/layout.h): products then read the codes as
// they are and code the activations too; unpacked they are decoded to f32 and multiplied as such.
// A Weight is a view: it owns nothing (its gradient neither), and a slice of its rows is again a Weight (of a packed one from a
// multiple of 16 on).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "tensor/tensor.h"

namespace minke {

struct Weight {
  DType dtype = DType::kF32;
  int64_t n_rows = 0;
  int64_t n_cols = 0;
  const std::byte* data = nullptr;  // [n_rows, n_cols]
  bool is_packed = false;
  float* gradient = nullptr;  // [n_rows, n_cols] in f32, to which backward passes add; null: not trained

  const std::byte* scales = nullptr;  // [ceil((scale_first_row + n_rows) / block_rows), n_scale_cols]; null = none
  DType scale_dtype = DType::kF32;    // f32, bf16, f16 or f8e8m0
  int64_t block_rows = 1;
  int64_t block_cols = 1;
  int64_t n_scale_cols = 0;     // ceil(n_cols / block_cols)
  int64_t scale_first_row = 0;  // where row 0 lies in the rows that `scales` describes

  const std::byte* row(int64_t index) const;  // not of a packed weight
  size_t n_bytes() const;                     // of data, without scales
  // Rows [first, first + count): per-head parts of a projection, for instance.
  Weight slice_rows(int64_t first, int64_t count) const;
};

// Block scales as a checkpoint stores them (weight_scale_inv).
struct BlockScales {
  TensorView values;  // [ceil(rows / block_rows), ceil(cols / block_cols)], for stacked weights [n, ...]
  int64_t block_rows = 128;
  int64_t block_cols = 128;
};

// A matrix (or vector = one row; leading axes count rows) without scales. The dtype must be a float or quantised one.
Result<Weight> make_weight(const TensorView& tensor);
// A 2-D tensor with its scales; the shapes must fit.
Result<Weight> make_weight(const TensorView& tensor, const BlockScales& scales);
// Matrix `index` of a stacked tensor [n, rows, cols] (experts). scales: null or [n, row blocks, column blocks].
Result<Weight> make_stacked_weight(const TensorView& tensor, int64_t index, const BlockScales* scales = nullptr);

}  // namespace minke
