#include "kernels/gemm/operand.h"

#include "kernels/dequantize.h"

namespace minke {
namespace {

const uint8_t* as_bytes(const void* p) { return static_cast<const uint8_t*>(p); }

// What a dtype has of its own; null: its rows are decoded first.
struct Readers {
  TransposePanelFn transpose = nullptr;
  CopyPanelsFn copy = nullptr;
};

Readers readers_of(const Weight& w, const GemmTable& table) {
  if (w.scales != nullptr) return {};
  if (w.dtype == DType::kF32) return {table.transpose_f32, table.copy_f32};
  if (w.dtype == DType::kF16) return {table.transpose_f16, table.copy_f16};
  if (w.dtype == DType::kBF16) return {table.transpose_bf16, table.copy_bf16};
  return {};
}

void set_rows(const uint8_t** pointers, const Weight& w, Range rows) {
  const size_t stride = *row_bytes(w.dtype, w.n_cols);
  for (int64_t r = 0; r < rows.size(); r++) pointers[r] = as_bytes(w.data) + static_cast<size_t>(rows.begin + r) * stride;
}

}  // namespace

void transpose_weight(float* panel, const Weight& w, Range rows, Range cols, const KernelTable& table) {
  const uint8_t* pointers[kGemmCols];
  if (const Readers readers = readers_of(w, table.gemm); readers.transpose != nullptr) {
    set_rows(pointers, w, rows);
    readers.transpose(panel, pointers, cols.begin, rows.size(), cols.size());
    return;
  }
  alignas(64) float decoded[kGemmCols * kGemmDepth];
  for (int64_t r = 0; r < rows.size(); r++) {
    dequantize_part(decoded + r * kGemmDepth, w, rows.begin + r, cols.begin, cols.size(), table.dequantize);
    pointers[r] = as_bytes(decoded + r * kGemmDepth);
  }
  table.gemm.transpose_f32(panel, pointers, 0, rows.size(), cols.size());
}

void copy_weight(float* panels, const Weight& w, Range rows, Range cols, const KernelTable& table) {
  const uint8_t* pointers[kGemmDepth];
  if (const Readers readers = readers_of(w, table.gemm); readers.copy != nullptr) {
    set_rows(pointers, w, rows);
    readers.copy(panels, kGemmCols, pointers, cols.begin, rows.size(), cols.size());
    return;
  }
  alignas(64) float decoded[kGemmDepth];
  const uint8_t* row = as_bytes(decoded);
  const int64_t panel_size = rows.size() * kGemmCols;
  for (int64_t r = 0; r < rows.size(); r++) {
    dequantize_part(decoded, w, rows.begin + r, cols.begin, cols.size(), table.dequantize);
    for (int64_t c = 0; c < cols.size(); c += kGemmCols) {
      table.gemm.copy_f32(panels + c / kGemmCols * panel_size + r * kGemmCols, kGemmCols, &row, c, 1,
                          std::min(kGemmCols, cols.size() - c));
    }
  }
}

}  // namespace minke
