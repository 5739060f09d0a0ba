// Number formats to and from f32. Everything here is exact or correctly rounded (nearest, ties to even), so every
// instruction set gives the same bits. Formats: IEEE binary16; bfloat16; OCP FP8 E4M3 (no infinity, NaN = 0x7F, 0xFF) and
// E5M2; E8M0 (a power of two, 0xFF = NaN); the GGUF quant blocks, formulas in docs/formats.md.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/weight.h"
#include "tensor/dtype.h"

namespace minke {

float f16_to_f32(uint16_t bits);
float bf16_to_f32(uint16_t bits);
float f8e4m3_to_f32(uint8_t bits);
float f8e5m2_to_f32(uint8_t bits);
float f8e8m0_to_f32(uint8_t bits);

// A NaN stays a NaN (quiet, sign kept). Out of range: f16, bf16 and f8e5m2 become infinity; f8e4m3 becomes NaN, as in
// PyTorch's float8_e4m3fn, so callers scale to at most 448 first.
uint16_t f32_to_f16(float value);
uint16_t f32_to_bf16(float value);
uint8_t f32_to_f8e4m3(float value);
uint8_t f32_to_f8e5m2(float value);

// One row of n elements of any float or quantised dtype; n is a multiple of the dtype's block. f64 is rounded to f32.
// The order of the f32 operations is ggml's, so that values agree bit for bit.
void dequantize_row(float* out, DType dtype, const std::byte* row, int64_t n);

// Dtypes that quantize_row writes: f32, f16, bf16, f64, f8e4m3, f8e5m2, q8_0.
bool can_quantize(DType dtype);
void quantize_row(std::byte* out, DType dtype, const float* row, int64_t n);

// Rows [first_row, first_row + n_rows) of a weight, block scales applied: out [n_rows, weight.n_cols]. Embedding lookup.
void dequantize_weight_rows(float* out, const Weight& weight, int64_t first_row, int64_t n_rows);

}  // namespace minke
