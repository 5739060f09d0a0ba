#include "kernels/dequantize.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "kernels/convert.h"
#include "kernels/cpu/dequantize_body.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/packed/layout.h"

namespace minke {

const DequantizeTable kBaselineDequantize = kDequantizeBodies;

namespace {

// Null for dtypes that are no weights, and for f32, which needs no decoding.
DequantizeFn decoder_of(DType dtype, const DequantizeTable& table) {
  struct Field {
    DType dtype;
    DequantizeFn DequantizeTable::*function;
  };
  constexpr Field kFields[] = {
      {DType::kF16, &DequantizeTable::f16},       {DType::kBF16, &DequantizeTable::bf16},
      {DType::kF64, &DequantizeTable::f64},       {DType::kF8E4M3, &DequantizeTable::f8e4m3},
      {DType::kF8E5M2, &DequantizeTable::f8e5m2}, {DType::kF8E8M0, &DequantizeTable::f8e8m0},
      {DType::kQ4_0, &DequantizeTable::q4_0},     {DType::kQ4_1, &DequantizeTable::q4_1},
      {DType::kQ5_0, &DequantizeTable::q5_0},     {DType::kQ5_1, &DequantizeTable::q5_1},
      {DType::kQ8_0, &DequantizeTable::q8_0},     {DType::kQ2_K, &DequantizeTable::q2_k},
      {DType::kQ3_K, &DequantizeTable::q3_k},     {DType::kQ4_K, &DequantizeTable::q4_k},
      {DType::kQ5_K, &DequantizeTable::q5_k},     {DType::kQ6_K, &DequantizeTable::q6_k},
      {DType::kIQ4_NL, &DequantizeTable::iq4_nl}, {DType::kIQ4_XS, &DequantizeTable::iq4_xs},
  };
  for (const Field& field : kFields) {
    if (field.dtype == dtype) return table.*field.function;
  }
  return nullptr;
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

namespace {

void dequantize_packed(float* out, const Weight& weight, int64_t row, int64_t first_col, int64_t n,
                       const DequantizeTable& table) {
  const PackedFormat& format = *packed_format(weight.dtype);
  CHECK(first_col % format.block_columns == 0 && n % format.block_columns == 0, "columns [{}, + {}) of packed {}", first_col, n,
        dtype_name(weight.dtype));
  const uint8_t* panel = reinterpret_cast<const uint8_t*>(weight.data) +
                         static_cast<size_t>(row / kPanelRows) * panel_bytes(format, weight.n_cols);
  uint8_t block[256];
  for (int64_t col = first_col; col < first_col + n; col += format.block_columns, out += format.block_columns) {
    unpack_block(block, format, panel, row % kPanelRows, col / format.block_columns, weight.n_cols);
    dequantize_row(out, weight.dtype, reinterpret_cast<const std::byte*>(block), format.block_columns, table);
  }
}

}  // namespace

PartDecoder::PartDecoder(const Weight& weight, const DequantizeTable& table)
    : weight_(weight), table_(table), decode_(weight.is_packed ? nullptr : decoder_of(weight.dtype, table)) {
  const DTypeInfo& info = dtype_info(weight.dtype);
  auto bytes = row_bytes(weight.dtype, weight.n_cols);
  CHECK(bytes.has_value() && (decode_ != nullptr || weight.is_packed || weight.dtype == DType::kF32), "a weight of {}",
        info.name);
  row_bytes_ = static_cast<int64_t>(*bytes);
  block_elements_ = info.block_elements;
  block_bytes_ = static_cast<int64_t>(info.block_bytes);
}

void PartDecoder::decode(float* out, int64_t row, int64_t first_col, int64_t n) const {
  CHECK(first_col % block_elements_ == 0 && n % block_elements_ == 0, "columns {} + {} inside a block of {}", first_col, n,
        dtype_name(weight_.dtype));
  if (n == 0) return;
  if (weight_.is_packed) return dequantize_packed(out, weight_, row, first_col, n, table_);
  const std::byte* data = weight_.data + row * row_bytes_ + first_col / block_elements_ * block_bytes_;
  if (decode_ == nullptr) {
    std::memcpy(out, data, static_cast<size_t>(n) * sizeof(float));
  } else {
    decode_(out, reinterpret_cast<const uint8_t*>(data), n);
  }
  if (weight_.scales == nullptr) return;
  const int64_t block_row = (weight_.scale_first_row + row) / weight_.block_rows;
  for (int64_t col = first_col; col < first_col + n;) {
    const int64_t block_col = col / weight_.block_cols;
    const int64_t end = std::min(first_col + n, (block_col + 1) * weight_.block_cols);
    const float scale = scale_at(weight_, block_row, block_col);
    for (; col < end; col++) out[col - first_col] *= scale;
  }
}

void dequantize_part(float* out, const Weight& weight, int64_t row, int64_t first_col, int64_t n,
                     const DequantizeTable& table) {
  PartDecoder(weight, table).decode(out, row, first_col, n);
}

void dequantize_weight_rows(float* out, const Weight& weight, int64_t first_row, int64_t n_rows) {
  CHECK(first_row >= 0 && n_rows >= 0 && n_rows <= weight.n_rows - first_row, "rows [{}, {} + {}) of {}", first_row, first_row,
        n_rows, weight.n_rows);
  for (int64_t r = 0; r < n_rows; r++) {
    dequantize_part(out + r * weight.n_cols, weight, first_row + r, 0, weight.n_cols, kBaselineDequantize);
  }
}

}  // namespace minke
