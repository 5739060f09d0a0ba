#include "kernels/weight.h"

#include "base/check.h"
#include "kernels/packed/layout.h"

namespace minke {
namespace {

int64_t ceil_divide(int64_t a, int64_t b) { return (a + b - 1) / b; }

size_t bytes_of_row(DType dtype, int64_t n) {
  auto bytes = row_bytes(dtype, n);
  CHECK(bytes.has_value(), "a row of {} elements of {}", n, dtype_name(dtype));
  return *bytes;
}

Status check_dtype(const TensorView& tensor) {
  if (!dtype_info(tensor.dtype).is_float) {
    return error("weight {}: expected a float or quantised dtype, got {}", shape_text(tensor.shape), dtype_name(tensor.dtype));
  }
  TRY(tensor_bytes(tensor.dtype, tensor.shape));
  return {};
}

// Scales [row blocks, column blocks] at `data` for a weight whose shape is set.
Status attach_scales(Weight& weight, const BlockScales& scales, int64_t row_blocks, int64_t col_blocks, const std::byte* data) {
  const DType dtype = scales.values.dtype;
  if (dtype_info(weight.dtype).is_quantized) {
    return error("block scales for a weight of {}, which has its own", dtype_name(weight.dtype));
  }
  if (dtype != DType::kF32 && dtype != DType::kBF16 && dtype != DType::kF16 && dtype != DType::kF8E8M0) {
    return error("block scales: expected f32, bf16, f16 or f8e8m0, got {}", dtype_name(dtype));
  }
  if (scales.block_rows < 1 || scales.block_cols < 1) {
    return error("block scales: block size {}x{} is not positive", scales.block_rows, scales.block_cols);
  }
  const int64_t expected_rows = ceil_divide(weight.n_rows, scales.block_rows);
  const int64_t expected_cols = ceil_divide(weight.n_cols, scales.block_cols);
  if (row_blocks != expected_rows || col_blocks != expected_cols) {
    return error("block scales: expected [{}, {}] for a weight [{}, {}] in blocks of {}x{}, got {}", expected_rows,
                 expected_cols, weight.n_rows, weight.n_cols, scales.block_rows, scales.block_cols,
                 shape_text(scales.values.shape));
  }
  weight.scales = data;
  weight.scale_dtype = dtype;
  weight.block_rows = scales.block_rows;
  weight.block_cols = scales.block_cols;
  weight.n_scale_cols = expected_cols;
  return {};
}

}  // namespace

const std::byte* Weight::row(int64_t index) const {
  CHECK(!is_packed, "row {} of a packed weight", index);
  return data + static_cast<size_t>(index) * bytes_of_row(dtype, n_cols);
}

size_t Weight::n_bytes() const {
  if (is_packed) return packed_bytes(*packed_format(dtype), n_rows, n_cols);
  return static_cast<size_t>(n_rows) * bytes_of_row(dtype, n_cols);
}

Weight Weight::slice_rows(int64_t first, int64_t count) const {
  CHECK(first >= 0 && count >= 0 && count <= n_rows - first, "rows [{}, {} + {}) of {}", first, first, count, n_rows);
  Weight slice = *this;
  if (is_packed) {
    CHECK(first % kPanelRows == 0, "a slice of packed rows from row {}", first);
    slice.data = data + packed_bytes(*packed_format(dtype), first, n_cols);
  } else {
    slice.data = row(first);
  }
  slice.n_rows = count;
  if (gradient != nullptr) slice.gradient = gradient + first * n_cols;
  slice.scale_first_row = scale_first_row + first;
  return slice;
}

Result<Weight> make_weight(const TensorView& tensor) {
  TRY(check_dtype(tensor));
  return Weight{.dtype = tensor.dtype, .n_rows = tensor.n_rows(), .n_cols = tensor.n_cols(), .data = tensor.data};
}

Result<Weight> make_weight(const TensorView& tensor, const BlockScales& scales) {
  if (tensor.shape.size() != 2 || scales.values.shape.size() != 2) {
    return error("block scales: expected a 2-D weight and 2-D scales, got {} and {}", shape_text(tensor.shape),
                 shape_text(scales.values.shape));
  }
  Weight weight = TRY(make_weight(tensor));
  TRY(attach_scales(weight, scales, scales.values.shape[0], scales.values.shape[1], scales.values.data));
  return weight;
}

Result<Weight> make_stacked_weight(const TensorView& tensor, int64_t index, const BlockScales* scales) {
  TRY(check_dtype(tensor));
  if (tensor.shape.size() != 3) return error("stacked weight: expected 3 axes, got {}", shape_text(tensor.shape));
  CHECK(index >= 0 && index < tensor.shape[0], "matrix {} of {}", index, shape_text(tensor.shape));
  Weight weight{.dtype = tensor.dtype, .n_rows = tensor.shape[1], .n_cols = tensor.shape[2], .data = tensor.data};
  weight.data += static_cast<size_t>(index) * weight.n_bytes();
  if (scales == nullptr) return weight;
  const TensorView& values = scales->values;
  if (values.shape.size() != 3 || values.shape[0] != tensor.shape[0]) {
    return error("block scales: expected [{}, row blocks, column blocks], got {}", tensor.shape[0], shape_text(values.shape));
  }
  const size_t matrix_bytes = static_cast<size_t>(values.shape[1]) * bytes_of_row(values.dtype, values.shape[2]);
  TRY(attach_scales(weight, *scales, values.shape[1], values.shape[2],
                    values.data + static_cast<size_t>(index) * matrix_bytes));
  return weight;
}

}  // namespace minke
