#include "quantize/pack.h"

#include <cstring>

#include "kernels/convert.h"

namespace minke {
namespace {

uint8_t* bytes_of(std::byte* out) { return reinterpret_cast<uint8_t*>(out); }

void put_half(uint8_t* p, float value) {
  const uint16_t bits = f32_to_f16(value);
  std::memcpy(p, &bits, sizeof(bits));
}

// Element j in the low, element j + 16 in the high nibble of byte j.
void put_nibbles(uint8_t* qs, const uint8_t* codes) {
  for (int j = 0; j < 16; j++) qs[j] = static_cast<uint8_t>((codes[j] & 15) | ((codes[j + 16] & 15) << 4));
}

void put_fifth_bits(uint8_t* qh, const uint8_t* codes) {
  uint32_t bits = 0;
  for (int j = 0; j < kSmallBlock; j++) bits |= static_cast<uint32_t>(codes[j] >> 4) << j;
  std::memcpy(qh, &bits, sizeof(bits));
}

// The eight 6-bit pairs of Q4_K and Q5_K: four whole, the other four as low nibbles with their high bits in the first ones.
void put_scales_and_mins(uint8_t* p, const AffineSuperBlock& block) {
  for (int j = 0; j < 4; j++) {
    const int scale = block.scales[j + 4], min = block.mins[j + 4];
    p[j] = static_cast<uint8_t>(block.scales[j] | ((scale >> 4) << 6));
    p[j + 4] = static_cast<uint8_t>(block.mins[j] | ((min >> 4) << 6));
    p[j + 8] = static_cast<uint8_t>((scale & 15) | ((min & 15) << 4));
  }
}

// Sub-blocks of 32 come in pairs: the first in the low nibbles of 32 bytes, the second in the high ones.
void put_paired_nibbles(uint8_t* qs, const uint8_t* codes) {
  for (int pair = 0; pair < 4; pair++) {
    for (int l = 0; l < 32; l++) {
      const uint8_t *low = codes + 64 * pair, *high = low + 32;
      qs[32 * pair + l] = static_cast<uint8_t>((low[l] & 15) | ((high[l] & 15) << 4));
    }
  }
}

// Four elements, 32 apart, share a byte: two bits each.
void put_bit_pairs(uint8_t* qs, const uint8_t* codes) {
  for (int half = 0; half < 2; half++) {
    for (int l = 0; l < 32; l++) {
      const uint8_t* c = codes + 128 * half + l;
      qs[32 * half + l] = static_cast<uint8_t>((c[0] & 3) | ((c[32] & 3) << 2) | ((c[64] & 3) << 4) | ((c[96] & 3) << 6));
    }
  }
}

}  // namespace

void pack_q4_0(std::byte* out, const ScaleBlock& block) {
  put_half(bytes_of(out), block.d);
  put_nibbles(bytes_of(out) + 2, block.codes);
}

void pack_q5_0(std::byte* out, const ScaleBlock& block) {
  put_half(bytes_of(out), block.d);
  put_fifth_bits(bytes_of(out) + 2, block.codes);
  put_nibbles(bytes_of(out) + 6, block.codes);
}

void pack_q4_1(std::byte* out, const AffineBlock& block) {
  put_half(bytes_of(out), block.d);
  put_half(bytes_of(out) + 2, block.m);
  put_nibbles(bytes_of(out) + 4, block.codes);
}

void pack_q5_1(std::byte* out, const AffineBlock& block) {
  put_half(bytes_of(out), block.d);
  put_half(bytes_of(out) + 2, block.m);
  put_fifth_bits(bytes_of(out) + 4, block.codes);
  put_nibbles(bytes_of(out) + 8, block.codes);
}

void pack_q2_k(std::byte* out, const AffineSuperBlock& block) {
  uint8_t* p = bytes_of(out);
  for (int b = 0; b < 16; b++) p[b] = static_cast<uint8_t>(block.scales[b] | (block.mins[b] << 4));
  put_bit_pairs(p + 16, block.codes);
  put_half(p + 80, block.d);
  put_half(p + 82, block.dmin);
}

void pack_q3_k(std::byte* out, const ScaleSuperBlock& block) {
  uint8_t* p = bytes_of(out);
  std::memset(p, 0, 110);
  for (int i = 0; i < kSuperBlock; i++) p[i % 32] |= static_cast<uint8_t>((block.codes[i] >> 2) << (i / 32));
  put_bit_pairs(p + 32, block.codes);
  for (int b = 0; b < 16; b++) {
    const int scale = block.scales[b] + 32;
    p[96 + b % 8] |= static_cast<uint8_t>((scale & 15) << (b < 8 ? 0 : 4));
    p[104 + b % 4] |= static_cast<uint8_t>((scale >> 4) << (2 * (b / 4)));
  }
  put_half(p + 108, block.d);
}

void pack_q4_k(std::byte* out, const AffineSuperBlock& block) {
  uint8_t* p = bytes_of(out);
  put_half(p, block.d);
  put_half(p + 2, block.dmin);
  put_scales_and_mins(p + 4, block);
  put_paired_nibbles(p + 16, block.codes);
}

void pack_q5_k(std::byte* out, const AffineSuperBlock& block) {
  uint8_t* p = bytes_of(out);
  put_half(p, block.d);
  put_half(p + 2, block.dmin);
  put_scales_and_mins(p + 4, block);
  std::memset(p + 16, 0, 32);
  for (int i = 0; i < kSuperBlock; i++) p[16 + i % 32] |= static_cast<uint8_t>((block.codes[i] >> 4) << (i / 32));
  put_paired_nibbles(p + 48, block.codes);
}

void pack_q6_k(std::byte* out, const ScaleSuperBlock& block) {
  uint8_t* p = bytes_of(out);
  for (int half = 0; half < 2; half++) {
    for (int l = 0; l < 32; l++) {
      const uint8_t* c = block.codes + 128 * half + l;
      p[64 * half + l] = static_cast<uint8_t>((c[0] & 15) | ((c[64] & 15) << 4));
      p[64 * half + 32 + l] = static_cast<uint8_t>((c[32] & 15) | ((c[96] & 15) << 4));
      p[128 + 32 * half + l] =
          static_cast<uint8_t>((c[0] >> 4) | ((c[32] >> 4) << 2) | ((c[64] >> 4) << 4) | ((c[96] >> 4) << 6));
    }
  }
  for (int b = 0; b < 16; b++) p[192 + b] = static_cast<uint8_t>(static_cast<int8_t>(block.scales[b]));
  put_half(p + 208, block.d);
}

void pack_iq4_xs(std::byte* out, const ScaleSuperBlock& block) {
  uint8_t* p = bytes_of(out);
  std::memset(p, 0, 8);
  put_half(p, block.d);
  uint16_t high = 0;
  for (int b = 0; b < 8; b++) {
    const int scale = block.scales[b] + 32;
    high = static_cast<uint16_t>(high | ((scale >> 4) << (2 * b)));
    p[4 + b / 2] |= static_cast<uint8_t>((scale & 15) << (4 * (b % 2)));
    put_nibbles(p + 8 + 16 * b, block.codes + 32 * b);
  }
  std::memcpy(p + 2, &high, sizeof(high));
}

}  // namespace minke
