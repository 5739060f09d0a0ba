// How each packed format (kernels/packed/layout.h) gives its codes and scales, over the vectors of ints_*.h. Weight c of a row
// is
//   scale[c / kScaleColumns] * (code[c] - kOffset) - min[c / kScaleColumns]        min only with kHasMin
// Formulas: docs/formats.md. A format has
//   codes<b>(g, body)   codes of columns 32 b .. 32 b + 31 of a block: g[i] holds columns 4 i .. 4 i + 3 of the rows
//   scales(scale, min, heads, body)   of a block: kScales vectors each, kPanelRows floats apart
// `body` points at the rows of one vector: at the line, plus half a line for the second vector of AVX2; heads likewise.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/cpu/dequantize_body.h"

namespace minke {
namespace {

constexpr int kRowsOfPanel = 16;
constexpr int kLineBytes = 64;

inline Ints line(const uint8_t* body, int index) { return load_ints(body + kLineBytes * index); }
inline Vec head(const uint8_t* heads, int index) { return load_f16(heads + 2 * kRowsOfPanel * index); }

template <int kShift>
inline Ints low_nibble(Ints v) {
  return bits_and(shift_words_right<kShift>(v), splat_bytes(15));
}
// Bits [from, from + n) of each byte, moved to [to, to + n).
template <int kFrom, int kTo, int kCount>
inline Ints byte_bits(Ints v) {
  const Ints mask = splat_bytes(((1 << kCount) - 1) << kTo);
  if constexpr (kFrom >= kTo) {
    return bits_and(shift_words_right<kFrom - kTo>(v), mask);
  } else {
    return bits_and(shift_words_left<kTo - kFrom>(v), mask);
  }
}
// Bits [from, from + n) of each 32-bit lane as a number.
template <int kFrom, int kCount>
inline Ints lane_bits(Ints v) {
  return bits_and(shift_ints_right<kFrom>(v), splat_ints((1 << kCount) - 1));
}

// Calls fn(std::integral_constant<int, 0>()), ..., fn(<n - 1>).
template <int kCount, int kFirst = 0, typename Fn>
inline __attribute__((always_inline)) void unroll(Fn&& fn) {
  if constexpr (kFirst < kCount) {
    fn(std::integral_constant<int, kFirst>());
    unroll<kCount, kFirst + 1>(fn);
  }
}

// ---- blocks of 32 columns with 16-bit scales

// Four lines: low nibbles are columns 0 .. 15, high ones 16 .. 31.
inline void nibbles_of_32(Ints (&g)[8], const uint8_t* lines) {
  unroll<4>([&](auto i) __attribute__((always_inline)) {
    const Ints v = line(lines, i);
    g[i] = low_nibble<0>(v);
    g[i + 4] = low_nibble<4>(v);
  });
}

struct HalfScale {
  static constexpr int kBlocks = 1, kScales = 1, kScaleColumns = 32, kHeads = 1;
  static constexpr bool kHasMin = false;
  static void scales(float* scale, float*, const uint8_t* heads, const uint8_t*) { store(scale, head(heads, 0)); }
};

// w = d * code + m
struct HalfScaleMin {
  static constexpr int kBlocks = 1, kScales = 1, kScaleColumns = 32, kHeads = 2;
  static constexpr bool kHasMin = true;
  static void scales(float* scale, float* min, const uint8_t* heads, const uint8_t*) {
    store(scale, head(heads, 0));
    store(min, subtract(zero(), head(heads, 1)));
  }
};

struct NibbleCodes {
  static constexpr int kLines = 4;
  static constexpr bool kSigned = false;
  template <int>
  static void codes(Ints (&g)[8], const uint8_t* body) {
    nibbles_of_32(g, body);
  }
};

struct FiveBitCodes {
  static constexpr int kLines = 5;
  static constexpr bool kSigned = false;
  template <int>
  static void codes(Ints (&g)[8], const uint8_t* body) {
    nibbles_of_32(g, body + kLineBytes);
    const Ints fifth = line(body, 0);
    unroll<8>([&](auto i) __attribute__((always_inline)) { g[i] = bits_or(g[i], byte_bits<i, 4, 1>(fifth)); });
  }
};

// Signed codes as dot_codes wants them.
inline Ints as_byte_operand(Ints v) { return kBytesAreUnsigned ? bits_xor(v, splat_bytes(0x80)) : v; }

struct ByteCodes {
  static constexpr int kLines = 8;
  static constexpr bool kSigned = true;
  template <int>
  static void codes(Ints (&g)[8], const uint8_t* body) {
    unroll<8>([&](auto i) __attribute__((always_inline)) { g[i] = as_byte_operand(line(body, i)); });
  }
};

alignas(16) constexpr int8_t kIq4Table[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

struct Iq4Codes {
  static constexpr int kLines = 4;
  static constexpr bool kSigned = true;
  template <int>
  static void codes(Ints (&g)[8], const uint8_t* body) {
    nibbles_of_32(g, body);
    for (Ints& v : g) v = as_byte_operand(lookup(kIq4Table, v));
  }
};

template <typename Codes, typename Scales, int kCodeOffset>
struct Format : Codes, Scales {
  static constexpr int kOffset = kCodeOffset;
};

using Q4_0 = Format<NibbleCodes, HalfScale, 8>;
using Q4_1 = Format<NibbleCodes, HalfScaleMin, 0>;
using Q5_0 = Format<FiveBitCodes, HalfScale, 16>;
using Q5_1 = Format<FiveBitCodes, HalfScaleMin, 0>;
using Q8_0 = Format<ByteCodes, HalfScale, 0>;
using IQ4_NL = Format<Iq4Codes, HalfScale, 0>;

// ---- super-blocks of 256 columns

// Six-bit scales and minima of 32 columns in the first three lines.
struct SixBitScaleMin {
  static constexpr int kBlocks = 8, kScales = 8, kScaleColumns = 32, kHeads = 2;
  static constexpr bool kHasMin = true;
  static void scales(float* scale, float* min, const uint8_t* heads, const uint8_t* body) {
    const Vec d = head(heads, 0), dmin = head(heads, 1);
    const Ints first = line(body, 0), second = line(body, 1), third = line(body, 2);
    unroll<4>([&](auto j) __attribute__((always_inline)) {
      put(scale, j, d, lane_bits<8 * j, 6>(first));
      put(min, j, dmin, lane_bits<8 * j, 6>(second));
      put(scale, j + 4, d, bits_or(lane_bits<8 * j, 4>(third), shift_ints_left<4>(lane_bits<8 * j + 6, 2>(first))));
      put(min, j + 4, dmin, bits_or(lane_bits<8 * j + 4, 4>(third), shift_ints_left<4>(lane_bits<8 * j + 6, 2>(second))));
    });
  }

 private:
  static void put(float* out, int index, Vec factor, Ints value) {
    store(out + kRowsOfPanel * index, multiply(factor, to_float(value)));
  }
};

// Pairs of blocks share eight lines: low nibbles are the even block, high ones the odd.
template <int kBlock>
inline void nibbles_of_256(Ints (&g)[8], const uint8_t* lines) {
  unroll<8>([&](auto i)
                __attribute__((always_inline)) { g[i] = low_nibble<4 * (kBlock % 2)>(line(lines, 8 * (kBlock / 2) + i)); });
}

struct Q4_K : SixBitScaleMin {
  static constexpr int kLines = 35, kOffset = 0;
  static constexpr bool kSigned = false;
  template <int kBlock>
  static void codes(Ints (&g)[8], const uint8_t* body) {
    nibbles_of_256<kBlock>(g, body + 3 * kLineBytes);
  }
};

struct Q5_K : SixBitScaleMin {
  static constexpr int kLines = 43, kOffset = 0;
  static constexpr bool kSigned = false;
  template <int kBlock>
  static void codes(Ints (&g)[8], const uint8_t* body) {
    nibbles_of_256<kBlock>(g, body + 11 * kLineBytes);
    unroll<8>([&](auto i) __attribute__((always_inline)) { g[i] = bits_or(g[i], byte_bits<kBlock, 4, 1>(line(body, 3 + i))); });
  }
};

struct Q6_K {
  static constexpr int kBlocks = 8, kScales = 16, kScaleColumns = 16, kHeads = 1, kLines = 52, kOffset = 32;
  static constexpr bool kHasMin = false, kSigned = false;
  template <int kBlock>
  static void codes(Ints (&g)[8], const uint8_t* body) {
    constexpr int kHalf = kBlock / 4, kQuarter = kBlock % 4;
    unroll<8>([&](auto i) __attribute__((always_inline)) {
      const Ints low = low_nibble<4 * (kQuarter / 2)>(line(body, 16 * kHalf + 8 * (kQuarter % 2) + i));
      g[i] = bits_or(low, byte_bits<2 * kQuarter, 4, 2>(line(body, 32 + 8 * kHalf + i)));
    });
  }
  static void scales(float* scale, float*, const uint8_t* heads, const uint8_t* body) {
    const Vec d = head(heads, 0);
    unroll<16>([&](auto s) __attribute__((always_inline)) {
      store(scale + kRowsOfPanel * s, multiply(d, to_float(signed_byte<s % 4>(line(body, 48 + s / 4)))));
    });
  }
};

// Half of the super-block shares eight lines of two-bit codes.
template <int kBlock>
inline void pairs_of_256(Ints (&g)[8], const uint8_t* lines) {
  unroll<8>([&](auto i) __attribute__((always_inline)) {
    g[i] = byte_bits<2 * (kBlock % 4), 0, 2>(line(lines, 8 * (kBlock / 4) + i));
  });
}

struct Q2_K {
  static constexpr int kBlocks = 8, kScales = 16, kScaleColumns = 16, kHeads = 2, kLines = 20, kOffset = 0;
  static constexpr bool kHasMin = true, kSigned = false;
  template <int kBlock>
  static void codes(Ints (&g)[8], const uint8_t* body) {
    pairs_of_256<kBlock>(g, body + 4 * kLineBytes);
  }
  static void scales(float* scale, float* min, const uint8_t* heads, const uint8_t* body) {
    const Vec d = head(heads, 0), dmin = head(heads, 1);
    unroll<16>([&](auto s) __attribute__((always_inline)) {
      const Ints both = line(body, s / 4);
      store(scale + kRowsOfPanel * s, multiply(d, to_float(lane_bits<8 * (s % 4), 4>(both))));
      store(min + kRowsOfPanel * s, multiply(dmin, to_float(lane_bits<8 * (s % 4) + 4, 4>(both))));
    });
  }
};

struct Q3_K {
  static constexpr int kBlocks = 8, kScales = 16, kScaleColumns = 16, kHeads = 1, kLines = 27, kOffset = 4;
  static constexpr bool kHasMin = false, kSigned = false;
  template <int kBlock>
  static void codes(Ints (&g)[8], const uint8_t* body) {
    pairs_of_256<kBlock>(g, body + 8 * kLineBytes);
    unroll<8>([&](auto i) __attribute__((always_inline)) { g[i] = bits_or(g[i], byte_bits<kBlock, 2, 1>(line(body, i))); });
  }
  static void scales(float* scale, float*, const uint8_t* heads, const uint8_t* body) {
    const Vec d = head(heads, 0);
    const Ints high = line(body, 26);
    unroll<16>([&](auto s) __attribute__((always_inline)) {
      const Ints low = lane_bits<8 * (s % 4) + 4 * (s / 8), 4>(line(body, 24 + s / 4 % 2));
      const Ints top = shift_ints_left<4>(lane_bits<8 * (s % 4) + 2 * (s / 4), 2>(high));
      store(scale + kRowsOfPanel * s, multiply(d, to_float(subtract_ints(bits_or(low, top), splat_ints(32)))));
    });
  }
};

struct IQ4_XS {
  static constexpr int kBlocks = 8, kScales = 8, kScaleColumns = 32, kHeads = 2, kLines = 33, kOffset = 0;
  static constexpr bool kHasMin = false, kSigned = true;
  template <int kBlock>
  static void codes(Ints (&g)[8], const uint8_t* body) {
    Iq4Codes::codes<0>(g, body + (1 + 4 * kBlock) * kLineBytes);
  }
  static void scales(float* scale, float*, const uint8_t* heads, const uint8_t* body) {
    const Vec d = head(heads, 0);
    const Ints high = load_u16_as_ints(heads + 2 * kRowsOfPanel), low = line(body, 0);
    unroll<8>([&](auto s) __attribute__((always_inline)) {
      const Ints top = shift_ints_left<4>(lane_bits<2 * s, 2>(high));
      const Ints value = bits_or(lane_bits<8 * (s / 2) + 4 * (s % 2), 4>(low), top);
      store(scale + kRowsOfPanel * s, multiply(d, to_float(subtract_ints(value, splat_ints(32)))));
    });
  }
};

}  // namespace
}  // namespace minke
