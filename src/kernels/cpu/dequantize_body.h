// Decoding of rows into f32, compiled once for the baseline and once per instruction set (each unit gets its own copy in an
// unnamed namespace). Exact up to the f32 operations written here, whose order is ggml's; contraction is off.
// Formulas and block layouts: docs/formats.md; all fields are little endian and may be unaligned.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/cpu/kernel_table.h"

namespace minke {
namespace {

inline uint16_t load_u16(const uint8_t* p) {
  uint16_t value;
  std::memcpy(&value, p, sizeof(value));
  return value;
}

inline uint32_t load_u32(const uint8_t* p) {
  uint32_t value;
  std::memcpy(&value, p, sizeof(value));
  return value;
}

inline float float_of_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

inline float decode_f16(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16;
  const uint32_t exponent = (h >> 10) & 31;
  const uint32_t mantissa = h & 0x3FF;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  if (exponent == 31) return float_of_bits(sign | 0x7F800000 | (mantissa != 0 ? 0x400000 | (mantissa << 13) : 0));
  return float_of_bits(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

inline float decode_bf16(uint16_t h) { return float_of_bits(static_cast<uint32_t>(h) << 16); }

inline float decode_f8e5m2(uint8_t b) { return decode_f16(static_cast<uint16_t>(b << 8)); }

// With its exponent and mantissa moved to those of binary16 an E4M3 number is 2^8 too small, as the biases are 7 and 15.
inline float decode_f8e4m3(uint8_t b) {
  if ((b & 0x7F) == 0x7F) return float_of_bits(((b & 0x80u) << 24) | 0x7FC00000);
  return decode_f16(static_cast<uint16_t>(((b & 0x80) << 8) | ((b & 0x7F) << 7))) * 256.0f;
}

inline float decode_f8e8m0(uint8_t b) {
  if (b == 0xFF) return float_of_bits(0x7FC00000);
  return b == 0 ? 0x1p-127f : float_of_bits(static_cast<uint32_t>(b) << 23);
}

inline float half_at(const uint8_t* p) { return decode_f16(load_u16(p)); }

inline void dequantize_f16(float* out, const uint8_t* row, int64_t n) {
  for (int64_t i = 0; i < n; i++) out[i] = decode_f16(load_u16(row + 2 * i));
}

inline void dequantize_bf16(float* out, const uint8_t* row, int64_t n) {
  for (int64_t i = 0; i < n; i++) out[i] = decode_bf16(load_u16(row + 2 * i));
}

inline void dequantize_f64(float* out, const uint8_t* row, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    double value;
    std::memcpy(&value, row + 8 * i, sizeof(value));
    out[i] = static_cast<float>(value);
  }
}

inline void dequantize_f8e4m3(float* out, const uint8_t* row, int64_t n) {
  for (int64_t i = 0; i < n; i++) out[i] = decode_f8e4m3(row[i]);
}

inline void dequantize_f8e5m2(float* out, const uint8_t* row, int64_t n) {
  for (int64_t i = 0; i < n; i++) out[i] = decode_f8e5m2(row[i]);
}

inline void dequantize_f8e8m0(float* out, const uint8_t* row, int64_t n) {
  for (int64_t i = 0; i < n; i++) out[i] = decode_f8e8m0(row[i]);
}

// half d; u8 qs[16]
inline void dequantize_q4_0(float* out, const uint8_t* block, int64_t n) {
  for (; n > 0; n -= 32, out += 32, block += 18) {
    const float d = half_at(block);
    const uint8_t* qs = block + 2;
    for (int j = 0; j < 16; j++) {
      out[j] = static_cast<float>((qs[j] & 15) - 8) * d;
      out[j + 16] = static_cast<float>((qs[j] >> 4) - 8) * d;
    }
  }
}

// half d; half m; u8 qs[16]
inline void dequantize_q4_1(float* out, const uint8_t* block, int64_t n) {
  for (; n > 0; n -= 32, out += 32, block += 20) {
    const float d = half_at(block), m = half_at(block + 2);
    const uint8_t* qs = block + 4;
    for (int j = 0; j < 16; j++) {
      out[j] = static_cast<float>(qs[j] & 15) * d + m;
      out[j + 16] = static_cast<float>(qs[j] >> 4) * d + m;
    }
  }
}

// half d; u32 qh; u8 qs[16]
inline void dequantize_q5_0(float* out, const uint8_t* block, int64_t n) {
  for (; n > 0; n -= 32, out += 32, block += 22) {
    const float d = half_at(block);
    const uint32_t qh = load_u32(block + 2);
    const uint8_t* qs = block + 6;
    for (int j = 0; j < 16; j++) {
      const int low = (qs[j] & 15) | static_cast<int>(((qh >> j) & 1) << 4);
      const int high = (qs[j] >> 4) | static_cast<int>(((qh >> (j + 16)) & 1) << 4);
      out[j] = static_cast<float>(low - 16) * d;
      out[j + 16] = static_cast<float>(high - 16) * d;
    }
  }
}

// half d; half m; u32 qh; u8 qs[16]
inline void dequantize_q5_1(float* out, const uint8_t* block, int64_t n) {
  for (; n > 0; n -= 32, out += 32, block += 24) {
    const float d = half_at(block), m = half_at(block + 2);
    const uint32_t qh = load_u32(block + 4);
    const uint8_t* qs = block + 8;
    for (int j = 0; j < 16; j++) {
      const int low = (qs[j] & 15) | static_cast<int>(((qh >> j) & 1) << 4);
      const int high = (qs[j] >> 4) | static_cast<int>(((qh >> (j + 16)) & 1) << 4);
      out[j] = static_cast<float>(low) * d + m;
      out[j + 16] = static_cast<float>(high) * d + m;
    }
  }
}

// half d; i8 qs[32]
inline void dequantize_q8_0(float* out, const uint8_t* block, int64_t n) {
  for (; n > 0; n -= 32, out += 32, block += 34) {
    const float d = half_at(block);
    for (int j = 0; j < 32; j++) out[j] = static_cast<float>(static_cast<int8_t>(block[2 + j])) * d;
  }
}

// u8 scales[16]; u8 qs[64]; half d; half dmin
inline void dequantize_q2_k(float* out, const uint8_t* block, int64_t n) {
  for (; n > 0; n -= 256, block += 84) {
    const uint8_t* scales = block;
    const float d = half_at(block + 80), dmin = half_at(block + 82);
    for (int half = 0; half < 2; half++) {
      const uint8_t* qs = block + 16 + 32 * half;
      for (int shift = 0; shift < 8; shift += 2) {
        for (int group = 0; group < 2; group++, scales++, out += 16) {
          const float dl = d * static_cast<float>(*scales & 15);
          const float ml = dmin * static_cast<float>(*scales >> 4);
          for (int l = 0; l < 16; l++) out[l] = dl * static_cast<float>((qs[16 * group + l] >> shift) & 3) - ml;
        }
      }
    }
  }
}

// u8 hmask[32]; u8 qs[64]; u8 scales[12]; half d
inline void dequantize_q3_k(float* out, const uint8_t* block, int64_t n) {
  for (; n > 0; n -= 256, block += 110) {
    const uint8_t* hmask = block;
    const uint8_t* packed = block + 96;
    const float d = half_at(block + 108);
    for (int is = 0; is < 16; is++, out += 16) {  // sub-block of 16: half is/8, bit pair (is/2)%4, group is%2
      const int low = is < 8 ? packed[is] & 15 : packed[is - 8] >> 4;
      const int high = (packed[8 + is % 4] >> (2 * (is / 4))) & 3;
      const float dl = d * static_cast<float>((low | (high << 4)) - 32);
      const uint8_t* qs = block + 32 + 32 * (is / 8) + 16 * (is % 2);
      const uint8_t* hm = hmask + 16 * (is % 2);
      const int shift = 2 * (is / 2 % 4);
      const int bit = 4 * (is / 8) + is / 2 % 4;
      for (int l = 0; l < 16; l++) {
        const int q = ((qs[l] >> shift) & 3) - (((hm[l] >> bit) & 1) ? 0 : 4);
        out[l] = dl * static_cast<float>(q);
      }
    }
  }
}

struct ScaleMin {
  int scale, min;
};

// Pair j of the eight 6-bit scales and minima that Q4_K and Q5_K pack into 12 bytes.
inline ScaleMin scale_min_at(const uint8_t* q, int j) {
  if (j < 4) return {q[j] & 63, q[j + 4] & 63};
  return {(q[j + 4] & 15) | ((q[j - 4] >> 6) << 4), (q[j + 4] >> 4) | ((q[j] >> 6) << 4)};
}

// half d; half dmin; u8 scales[12]; u8 qs[128]
inline void dequantize_q4_k(float* out, const uint8_t* block, int64_t n) {
  for (; n > 0; n -= 256, block += 144) {
    const float d = half_at(block), dmin = half_at(block + 2);
    for (int j = 0; j < 8; j++, out += 32) {
      const ScaleMin s = scale_min_at(block + 4, j);
      const float dl = d * static_cast<float>(s.scale), ml = dmin * static_cast<float>(s.min);
      const uint8_t* qs = block + 16 + 32 * (j / 2);
      const int shift = 4 * (j % 2);
      for (int l = 0; l < 32; l++) out[l] = dl * static_cast<float>((qs[l] >> shift) & 15) - ml;
    }
  }
}

// half d; half dmin; u8 scales[12]; u8 qh[32]; u8 qs[128]
inline void dequantize_q5_k(float* out, const uint8_t* block, int64_t n) {
  for (; n > 0; n -= 256, block += 176) {
    const float d = half_at(block), dmin = half_at(block + 2);
    const uint8_t* qh = block + 16;
    for (int j = 0; j < 8; j++, out += 32) {
      const ScaleMin s = scale_min_at(block + 4, j);
      const float dl = d * static_cast<float>(s.scale), ml = dmin * static_cast<float>(s.min);
      const uint8_t* qs = block + 48 + 32 * (j / 2);
      const int shift = 4 * (j % 2);
      for (int l = 0; l < 32; l++) {
        const int q = ((qs[l] >> shift) & 15) | (((qh[l] >> j) & 1) << 4);
        out[l] = dl * static_cast<float>(q) - ml;
      }
    }
  }
}

// u8 ql[128]; u8 qh[64]; i8 scales[16]; half d
inline void dequantize_q6_k(float* out, const uint8_t* block, int64_t n) {
  for (; n > 0; n -= 256, block += 210) {
    const float d = half_at(block + 208);
    for (int is = 0; is < 16; is++, out += 16) {  // sub-block of 16: half is/8, quarter (is/2)%4, group is%2
      const int quarter = is / 2 % 4;
      const uint8_t* ql = block + 64 * (is / 8) + 32 * (quarter % 2) + 16 * (is % 2);
      const uint8_t* qh = block + 128 + 32 * (is / 8) + 16 * (is % 2);
      const int low_shift = 4 * (quarter / 2), high_shift = 2 * quarter;
      const float dl = d * static_cast<float>(static_cast<int8_t>(block[192 + is]));
      for (int l = 0; l < 16; l++) {
        const int q = ((ql[l] >> low_shift) & 15) | (((qh[l] >> high_shift) & 3) << 4);
        out[l] = dl * static_cast<float>(q - 32);
      }
    }
  }
}

constexpr int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

// half d; u8 qs[16]
inline void dequantize_iq4_nl(float* out, const uint8_t* block, int64_t n) {
  for (; n > 0; n -= 32, out += 32, block += 18) {
    const float d = half_at(block);
    const uint8_t* qs = block + 2;
    for (int j = 0; j < 16; j++) {
      out[j] = d * static_cast<float>(kIq4Values[qs[j] & 15]);
      out[j + 16] = d * static_cast<float>(kIq4Values[qs[j] >> 4]);
    }
  }
}

// half d; u16 scales_h; u8 scales_l[4]; u8 qs[128]
inline void dequantize_iq4_xs(float* out, const uint8_t* block, int64_t n) {
  for (; n > 0; n -= 256, block += 136) {
    const float d = half_at(block);
    const int scales_h = load_u16(block + 2);
    for (int ib = 0; ib < 8; ib++, out += 32) {
      const int scale = ((block[4 + ib / 2] >> (4 * (ib % 2))) & 15) | (((scales_h >> (2 * ib)) & 3) << 4);
      const float dl = d * static_cast<float>(scale - 32);
      const uint8_t* qs = block + 8 + 16 * ib;
      for (int j = 0; j < 16; j++) {
        out[j] = dl * static_cast<float>(kIq4Values[qs[j] & 15]);
        out[j + 16] = dl * static_cast<float>(kIq4Values[qs[j] >> 4]);
      }
    }
  }
}

constexpr DequantizeTable kDequantizeBodies = {
    .f16 = dequantize_f16,
    .bf16 = dequantize_bf16,
    .f64 = dequantize_f64,
    .f8e4m3 = dequantize_f8e4m3,
    .f8e5m2 = dequantize_f8e5m2,
    .f8e8m0 = dequantize_f8e8m0,
    .q4_0 = dequantize_q4_0,
    .q4_1 = dequantize_q4_1,
    .q5_0 = dequantize_q5_0,
    .q5_1 = dequantize_q5_1,
    .q8_0 = dequantize_q8_0,
    .q2_k = dequantize_q2_k,
    .q3_k = dequantize_q3_k,
    .q4_k = dequantize_q4_k,
    .q5_k = dequantize_q5_k,
    .q6_k = dequantize_q6_k,
    .iq4_nl = dequantize_iq4_nl,
    .iq4_xs = dequantize_iq4_xs,
};

}  // namespace
}  // namespace minke
