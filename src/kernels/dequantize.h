// Internal to kernels: choosing a decoder by dtype, and decoding parts of weight rows with their block scales.
#pragma once

#include <cstdint>

#include "base/cpu_info.h"
#include "kernels/cpu/kernel_table.h"
#include "kernels/weight.h"
#include "tensor/dtype.h"

namespace minke {

const DequantizeTable& dequantizers(Isa isa);

void dequantize_row(float* out, DType dtype, const std::byte* row, int64_t n, const DequantizeTable& table);

// Columns [first_col, first_col + n) of a row; first_col and n are multiples of the dtype's block.
void dequantize_part(float* out, const Weight& weight, int64_t row, int64_t first_col, int64_t n, const DequantizeTable& table);

// The same for many parts of one weight: what depends on the dtype is found once.
class PartDecoder {
 public:
  PartDecoder(const Weight& weight, const DequantizeTable& table);
  void decode(float* out, int64_t row, int64_t first_col, int64_t n) const;

 private:
  const Weight& weight_;
  const DequantizeTable& table_;
  DequantizeFn decode_;  // null: f32, or packed
  int64_t row_bytes_, block_elements_, block_bytes_;
};

}  // namespace minke
