// Rounding f32 to the smaller formats: nearest, ties to even. Q8_0: d = max|x| / 127 per block of 32, q = x / d rounded half
// away from zero, d stored as f16 (ggml's reference rounding).
#include <cmath>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "kernels/convert.h"

namespace minke {
namespace {

struct SmallFloat {
  int exponent_bits;
  int mantissa_bits;
  uint32_t overflow;  // the code, without sign, of everything that rounds past the largest number
  uint32_t nan;
};

constexpr SmallFloat kF16Format = {5, 10, 0x7C00, 0x7E00};
constexpr SmallFloat kF8E4M3Format = {4, 3, 0x7F, 0x7F};
constexpr SmallFloat kF8E5M2Format = {5, 2, 0x7C, 0x7E};

uint32_t encode(float value, SmallFloat format) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  const uint32_t sign = (bits >> 31) << (format.exponent_bits + format.mantissa_bits);
  const uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) return sign | format.nan;
  if (magnitude == 0x7F800000) return sign | format.overflow;

  const int bias = (1 << (format.exponent_bits - 1)) - 1;
  const int exponent = static_cast<int>(magnitude >> 23) - 127;
  const int least_normal = 1 - bias;
  const bool is_normal = exponent >= least_normal;
  const int shift = 23 - format.mantissa_bits + (is_normal ? 0 : least_normal - exponent);
  if (shift > 24) return sign;  // below half of the least subnormal
  // f32 subnormals lack the implicit bit, but all of them end in the line above.
  const uint32_t mantissa = (magnitude & 0x7FFFFF) | 0x800000;
  const uint32_t rest = mantissa & ((1u << shift) - 1);
  const uint32_t half = 1u << (shift - 1);
  uint32_t rounded = mantissa >> shift;
  if (rest > half || (rest == half && (rounded & 1) != 0)) rounded++;
  // A carry out of the mantissa moves into the exponent, as it should.
  uint32_t code = rounded;
  if (is_normal) code += (static_cast<uint32_t>(exponent + bias) - 1) << format.mantissa_bits;
  return sign | (code >= format.overflow ? format.overflow : code);
}

template <typename Code>
void encode_row(std::byte* out, const float* row, int64_t n, Code (*convert)(float)) {
  for (int64_t i = 0; i < n; i++) {
    const Code code = convert(row[i]);
    std::memcpy(out + static_cast<size_t>(i) * sizeof(Code), &code, sizeof(Code));
  }
}

void quantize_q8_0(std::byte* out, const float* row, int64_t n) {
  for (; n > 0; n -= 32, row += 32, out += 34) {
    float amax = 0;
    bool has_nan = false;
    for (int j = 0; j < 32; j++) {
      amax = std::fmax(amax, std::fabs(row[j]));
      has_nan = has_nan || std::isnan(row[j]);
    }
    const float d = has_nan ? std::numeric_limits<float>::quiet_NaN() : amax / 127.0f;
    const float inverse = d != 0 ? 1.0f / d : 0.0f;
    const uint16_t stored = f32_to_f16(d);
    std::memcpy(out, &stored, sizeof(stored));
    for (int j = 0; j < 32; j++) {
      const float scaled = std::round(row[j] * inverse);
      // Not finite only if d is not, or so small that 1/d overflows: then d is stored as NaN, infinity, or 0.
      out[2 + j] = static_cast<std::byte>(std::isfinite(scaled) ? static_cast<int8_t>(scaled) : 0);
    }
  }
}

}  // namespace

uint16_t f32_to_f16(float value) { return static_cast<uint16_t>(encode(value, kF16Format)); }
uint8_t f32_to_f8e4m3(float value) { return static_cast<uint8_t>(encode(value, kF8E4M3Format)); }
uint8_t f32_to_f8e5m2(float value) { return static_cast<uint8_t>(encode(value, kF8E5M2Format)); }

uint16_t f32_to_bf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  if ((bits & 0x7FFFFFFF) > 0x7F800000) return static_cast<uint16_t>((bits >> 16) | 0x40);
  return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

bool can_quantize(DType dtype) {
  switch (dtype) {
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
    case DType::kF64:
    case DType::kF8E4M3:
    case DType::kF8E5M2:
    case DType::kQ8_0:
      return true;
    default:
      return false;
  }
}

void quantize_row(std::byte* out, DType dtype, const float* row, int64_t n) {
  CHECK(can_quantize(dtype), "no quantiser for {}", dtype_name(dtype));
  CHECK(n >= 0 && n % dtype_info(dtype).block_elements == 0, "{} elements of {}", n, dtype_name(dtype));
  if (dtype == DType::kF32 && n > 0) std::memcpy(out, row, static_cast<size_t>(n) * sizeof(float));
  if (dtype == DType::kF16) encode_row<uint16_t>(out, row, n, f32_to_f16);
  if (dtype == DType::kBF16) encode_row<uint16_t>(out, row, n, f32_to_bf16);
  if (dtype == DType::kF64) encode_row<double>(out, row, n, [](float value) { return static_cast<double>(value); });
  if (dtype == DType::kF8E4M3) encode_row<uint8_t>(out, row, n, f32_to_f8e4m3);
  if (dtype == DType::kF8E5M2) encode_row<uint8_t>(out, row, n, f32_to_f8e5m2);
  if (dtype == DType::kQ8_0) quantize_q8_0(out, row, n);
}

}  // namespace minke
