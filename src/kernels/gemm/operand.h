// Internal to kernels: parts of a weight as the tiles want them.
#pragma once

#include "kernels/dequantize.h"
#include "kernels/gemm/gemm.h"

namespace minke {

// Rows of a weight that lie in lanes (at most kGemmCols), block of columns by block of columns.
class LaneRows {
 public:
  // has_next: the same number of rows that follow are read after these.
  LaneRows(const Weight& w, Range rows, bool has_next, const KernelTable& table);
  // Columns [cols.begin, cols.end), begin a multiple of kGemmDepth, at most kGemmDepth of them: as a panel, or times a few
  // rows.
  void transpose(float* panel, Range cols);
  void multiply_few(const GemmArguments& arguments, Range cols);

 private:
  WeightRows part(Range cols);

  Range rows_;
  const KernelTable& table_;
  const WeightTable* direct_;  // null: rows are decoded first
  PartDecoder decoder_;
  int64_t row_bytes_;
  bool has_next_;
  const uint8_t* pointers_[kGemmCols];
  // Rows that lie a power of two apart would fight for the same sets of L1.
  static constexpr int64_t kStride = kGemmDepth + 16;
  alignas(64) float decoded_[kGemmCols * kStride];
};

// Rows of a weight (at most kGemmDepth) whose columns lie in lanes, for columns [cols.begin, cols.end), at most kMostColumns.
class LaneColumns {
 public:
  static constexpr int64_t kMostColumns = 256;  // a multiple of every quant block

  explicit LaneColumns(const KernelTable& table) : table_(table) {}
  // out += or = the product of a block of rows with n_rows rows of x; `arguments` but for b and n_cols.
  void multiply(GemmArguments arguments, const Weight& w, Range rows, Range cols);

 private:
  void multiply_decoded(GemmArguments arguments, const Weight& w, Range rows, Range cols);

  // Rows of decoded floats: 18 lines of 64 bytes, so that they spread over the sets of L1.
  static constexpr int64_t kStride = kMostColumns + 32;
  const KernelTable& table_;
  alignas(64) float panels_[kGemmDepth * kStride];
};

}  // namespace minke
