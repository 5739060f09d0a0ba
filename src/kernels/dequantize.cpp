#include "kernels/dequantize.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "kernels/convert.h"
#include "kernels/cpu/dequantize_body.h"
#include "kernels/cpu/dispatch.h"

namespace minke {

const DequantizeTable kBaselineDequantize = kDequantizeBodies;

namespace {

DequantizeFn decoder_of(DType dtype, const DequantizeTable& table) {
  switch (dtype) {
    case DType::kF16: return table.f16;
    case DType::kBF16: return table.bf16;
    case DType::kF64: return table.f64;
    case DType::kF8E4M3: return table.f8e4m3;
    case DType::kF8E5M2: return table.f8e5m2;
    case DType::kF8E8M0: return table.f8e8m0;
    case DType::kQ4_0: return table.q4_0;
    case DType::kQ4_1: return table.q4_1;
    case DType::kQ5_0: return table.q5_0;
    case DType::kQ5_1: return table.q5_1;
    case DType::kQ8_0: return table.q8_0;
    case DType::kQ2_K: return table.q2_k;
    case DType::kQ3_K: return table.q3_k;
    case DType::kQ4_K: return table.q4_k;
    case DType::kQ5_K: return table.q5_k;
    case DType::kQ6_K: return table.q6_k;
    case DType::kIQ4_NL: return table.iq4_nl;
    case DType::kIQ4_XS: return table.iq4_xs;
    default: return nullptr;
  }
}

float scale_at(const Weight& weight, int64_t block_row, int64_t block_col) {
  const size_t element = static_cast<size_t>(block_row * weight.n_scale_cols + block_col);
  float value;
  dequantize_row(&value, weight.scale_dtype, weight.scales + element * dtype_info(weight.scale_dtype).block_bytes, 1,
                 kBaselineDequantize);
  return value;
}

}  // namespace

float f16_to_f32(uint16_t bits) { return decode_f16(bits); }
float bf16_to_f32(uint16_t bits) { return decode_bf16(bits); }
float f8e4m3_to_f32(uint8_t bits) { return decode_f8e4m3(bits); }
float f8e5m2_to_f32(uint8_t bits) { return decode_f8e5m2(bits); }
float f8e8m0_to_f32(uint8_t bits) { return decode_f8e8m0(bits); }

const DequantizeTable& dequantizers(Isa isa) { return isa == Isa::kRef ? kBaselineDequantize : kernels(isa).dequantize; }

void dequantize_row(float* out, DType dtype, const std::byte* row, int64_t n, const DequantizeTable& table) {
  CHECK(n >= 0 && n % dtype_info(dtype).block_elements == 0, "{} elements of {}", n, dtype_name(dtype));
  if (dtype == DType::kF32) {
    if (n > 0) std::memcpy(out, row, static_cast<size_t>(n) * sizeof(float));
    return;
  }
  const DequantizeFn decode = decoder_of(dtype, table);
  CHECK(decode != nullptr, "{} is not a float or quantised dtype", dtype_name(dtype));
  decode(out, reinterpret_cast<const uint8_t*>(row), n);
}

void dequantize_row(float* out, DType dtype, const std::byte* row, int64_t n) {
  dequantize_row(out, dtype, row, n, kBaselineDequantize);
}

void dequantize_part(float* out, const Weight& weight, int64_t row, int64_t first_col, int64_t n, const DequantizeTable& table) {
  const DTypeInfo& info = dtype_info(weight.dtype);
  CHECK(first_col % info.block_elements == 0, "column {} inside a block of {}", first_col, info.name);
  const std::byte* data = weight.row(row) + static_cast<size_t>(first_col / info.block_elements) * info.block_bytes;
  dequantize_row(out, weight.dtype, data, n, table);
  if (weight.scales == nullptr) return;
  const int64_t block_row = (weight.scale_first_row + row) / weight.block_rows;
  for (int64_t col = first_col; col < first_col + n;) {
    const int64_t block_col = col / weight.block_cols;
    const int64_t end = std::min(first_col + n, (block_col + 1) * weight.block_cols);
    const float scale = scale_at(weight, block_row, block_col);
    for (; col < end; col++) out[col - first_col] *= scale;
  }
}

void dequantize_weight_rows(float* out, const Weight& weight, int64_t first_row, int64_t n_rows) {
  CHECK(first_row >= 0 && n_rows >= 0 && n_rows <= weight.n_rows - first_row, "rows [{}, {} + {}) of {}", first_row, first_row,
        n_rows, weight.n_rows);
  for (int64_t r = 0; r < n_rows; r++) {
    dequantize_part(out + r * weight.n_cols, weight, first_row + r, 0, weight.n_cols, kBaselineDequantize);
  }
}

}  // namespace minke
