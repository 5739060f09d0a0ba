// Attention over pages of kQ8: products of bytes, sums of 32-bit integers, exact. What is rounded besides keys and values:
//   queries, to int8 with a scale per group of columns: at most half a step of max|q| / 127 each;
//   weights: w_j = exp(s_j - max) * scale of value j, at most W in the block, become u_j in 0 .. kWeightSteps with
//     w_j = (u_j + e_j) * W / kWeightSteps. What rounding left over is carried to the key kLanes further (error diffusion), so
//     |e_j| <= 1 and the sum of all e_j of a block is at most kLanes / 2: many small weights beside a large one, which would
//     all round to zero, keep their mass.
// A key that a row does not see gets u_j = 0, so what its bytes are does not matter. A scale of NaN makes the row's sum NaN.
#pragma once

#include "kernels/cpu/attention/softmax_body.h"

namespace minke {
namespace {

constexpr float kWeightSteps = kBytesAreUnsigned ? 254 : 127;
constexpr float kLeastWeight = 0x1p-100f;  // of a block: below, its inverse would not be finite; what it weighs is nothing
constexpr int64_t kKvLineBytes = 64, kLineTokens = 16, kLineCols = 4;
constexpr int kLineVectors = kKvLineBytes / static_cast<int>(sizeof(Ints));
constexpr int kScoreVectors = kScoreLines * kLineVectors;

inline void add_dot_keys(Ints& acc, Ints stored, Ints query) {
  if constexpr (kBytesAreUnsigned) {
    add_dot_unsigned(acc, stored, query);
  } else {
    acc = dot_signed(acc, bits_xor(stored, splat_bytes(-128)), query);
  }
}

// The register tiles below are functions of their own: inlined into a larger one, gcc 12 keeps their sums in memory.

inline Ints load_4_bytes(const void* p) {
  int32_t word;
  __builtin_memcpy(&word, p, sizeof(word));
  return splat_ints(word);
}

// Adds a query group's scores of kRows rows against 16 * kScoreLines keys, from line `line` of the page on.
template <int kRows>
__attribute__((noinline)) void score_codes(const AttentionBlock& block, int64_t row, const std::byte* page, int64_t first_key,
                                           int64_t line, int64_t group, KvColumns columns, Fetch& fetch) {
  const KvLayout& layout = *block.layout;
  const CodedQueries& coded = block.coded;
  const int64_t line_stride = layout.key_cols / kLineCols * kKvLineBytes;
  Ints sums[kRows][kScoreVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; r++) {
    const int32_t offset = kBytesAreUnsigned ? coded.offsets[(row + r) * layout.n_query_groups + group] : 0;
#pragma GCC unroll 8
    for (int v = 0; v < kScoreVectors; v++) sums[r][v] = splat_ints(offset);
  }
  const std::byte* lines = page + line * line_stride;
  const int8_t* queries = coded.codes + row * layout.key_cols;
  for (int64_t c = columns.begin; c < columns.end; c += kLineCols) {
    fetch.advance(kRows * kScoreLines * kLineTokens * kLineCols);
    Ints keys[kScoreVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kScoreVectors; v++) {
      keys[v] = load_ints(lines + v / kLineVectors * line_stride + c / kLineCols * kKvLineBytes +
                          v % kLineVectors * static_cast<int64_t>(sizeof(Ints)));
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; r++) {
      const Ints query = load_4_bytes(queries + r * layout.key_cols + c);
#pragma GCC unroll 8
      for (int v = 0; v < kScoreVectors; v++) add_dot_keys(sums[r][v], keys[v], query);
    }
  }
  const float* scales =
      reinterpret_cast<const float*>(page + layout.key_scales_offset) + columns.scale * kPageTokens + line * kLineTokens;
#pragma GCC unroll 8
  for (int r = 0; r < kRows; r++) {
    const Vec query_scale = broadcast(coded.scales[(row + r) * layout.n_query_groups + group]);
    float* scores = block.scores + (row + r) * kBlockTokens + first_key + line * kLineTokens;
#pragma GCC unroll 8
    for (int v = 0; v < kScoreVectors; v++) {
      const Vec before = group == 0 ? zero() : load(scores + v * kLanes);
      const Vec scale = multiply(load(scales + v * kLanes), query_scale);
      store(scores + v * kLanes, multiply_add(to_float(sums[r][v]), scale, before));
    }
  }
}

inline void score_q8_page(const AttentionBlock& block, int64_t page, Fetch& fetch) {
  const KvLayout& layout = *block.layout;
  const int64_t first_key = page * kPageTokens;
  for (int64_t group = 0; group < layout.n_query_groups; group++) {
    const KvColumns columns = query_columns(layout, group);
    for_tiles<kScoreRows>(block.n_rows, [&]<int kRows>(int64_t row) {
      const int64_t n_keys = most_visible(block, row, kRows) - first_key;
      for (int64_t line = 0; line < kPageTokens / kLineTokens && line * kLineTokens < n_keys; line += kScoreLines) {
        score_codes<kRows>(block, row, block.pages[page], first_key, line, group, columns, fetch);
      }
    });
  }
}

// The weights of a row, times the values' scales, as bytes [n_padded]; returns the step.
inline float code_weights(uint8_t* out, const AttentionBlock& block, int64_t row, int64_t scale, int64_t n_padded) {
  const int64_t n = block.n_visible[row];
  const float* weights = block.scores + row * kBlockTokens;
  alignas(64) float scaled[kBlockTokens];
  Vec most = zero();
  for (int64_t c = 0; c < n_padded; c += kLanes) {
    Vec w = zero();
    if (c < n) {
      const std::byte* page = block.pages[c / kPageTokens];
      const float* scales = reinterpret_cast<const float*>(page + block.layout->value_scales_offset) + scale * kPageTokens;
      w = multiply(load(weights + c), load(scales + c % kPageTokens));
      if (n - c < kLanes) w = select_first(n - c, w, zero());
    }
    store(scaled + c, w);
    most = maximum(w, most);
  }
  const float largest = lane_maximum(most);
  const bool is_nothing = !(largest >= kLeastWeight);
  const Vec factor = broadcast(is_nothing ? 0.0f : kWeightSteps / largest);
  Vec carry = zero();
  for (int64_t c = 0; c < n_padded; c += kLanes) {
    const Vec exact = multiply_add(load(scaled + c), factor, carry);
    const Vec rounded = round_to_integer(exact);
    carry = subtract(exact, rounded);
    // Beyond n the carry must not count.
    store_as_bytes(out + c, c + kLanes <= n ? rounded : c < n ? select_first(n - c, rounded, zero()) : zero());
  }
  return is_nothing ? 0.0f : largest / kWeightSteps;
}

struct CodedWeights {
  const uint8_t* codes;
  int64_t stride;     // of rows of codes
  const float* keep;  // [n_rows]
  const float* step;  // [n_rows]
};

inline void add_mixed(float* acc, Ints sums, float keep, float step) {
  store(acc, multiply_add(to_float(sums), broadcast(step), multiply(load(acc), broadcast(keep))));
}

// kRows rows, kLines lines of 16 columns: acc = acc * keep + step * sum over keys of code * value code.
template <int kRows, int kLines>
__attribute__((noinline)) void mix_head_lines(const AttentionBlock& block, const CodedWeights& weights, int64_t row,
                                              int64_t column, int64_t n_keys, Fetch& fetch) {
  const int64_t value_cols = block.layout->value_cols, line_stride = value_cols / kLineTokens * kKvLineBytes;
  Ints sums[kRows][kLines * kLineVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 8
    for (int v = 0; v < kLines * kLineVectors; v++) sums[r][v] = splat_ints(0);
  }
  const uint8_t* codes = weights.codes + row * weights.stride;
  for (int64_t page = 0; page * kPageTokens < n_keys; page++) {
    const std::byte* lines = block.pages[page] + block.layout->values_offset + column / kLineTokens * kKvLineBytes;
    const int64_t start = page * kPageTokens, last = n_keys - start < kPageTokens ? n_keys - start : kPageTokens;
    for (int64_t j = 0; j < last; j += 4, lines += line_stride) {
      fetch.advance(kRows * kLines * kLineTokens * 4);
      Ints values[kLines * kLineVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kLines * kLineVectors; v++) values[v] = load_ints(lines + v * static_cast<int64_t>(sizeof(Ints)));
#pragma GCC unroll 8
      for (int r = 0; r < kRows; r++) {
        const Ints weight = load_4_bytes(codes + r * weights.stride + start + j);
#pragma GCC unroll 8
        for (int v = 0; v < kLines * kLineVectors; v++) add_dot_unsigned(sums[r][v], weight, values[v]);
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; r++) {
    float* acc = block.state.acc + (row + r) * value_cols + column;
#pragma GCC unroll 8
    for (int v = 0; v < kLines * kLineVectors; v++) {
      add_mixed(acc + v * kLanes, sums[r][v], weights.keep[row + r], weights.step[row + r]);
    }
  }
}

// 16 columns of latents, which lie in lines of 16 tokens x 4 columns: the bytes of each 128-bit lane, 4 tokens x 4 columns, are
// transposed in registers; a lane then sums over its own tokens and the lanes are added at the end. `codes` hold each four
// weights four times, as such lines want them.
template <int kRows>
__attribute__((noinline)) void mix_latent_lines(const AttentionBlock& block, const CodedWeights& weights, int64_t row,
                                                int64_t column, int64_t n_keys, Fetch& fetch) {
  constexpr int kLines = 4;
  const int64_t group_stride = block.layout->key_cols / kLineCols * kKvLineBytes;
  Ints sums[kRows][kLines];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 8
    for (int l = 0; l < kLines; l++) sums[r][l] = splat_ints(0);
  }
  const uint8_t* codes = weights.codes + row * weights.stride;
  for (int64_t j = 0; j < n_keys; j += kLineTokens) {
    fetch.advance(kRows * kLines * kLineCols * kLineTokens);
    const std::byte* lines =
        block.pages[j / kPageTokens] + j % kPageTokens / kLineTokens * group_stride + column / kLineCols * kKvLineBytes;
#pragma GCC unroll 8
    for (int v = 0; v < kLineVectors; v++) {
      const int64_t part = v * static_cast<int64_t>(sizeof(Ints));
      Ints values[kLines];
#pragma GCC unroll 8
      for (int l = 0; l < kLines; l++) {
        values[l] = transpose_4x4(bits_xor(load_ints(lines + l * kKvLineBytes + part), splat_bytes(-128)));
      }
#pragma GCC unroll 8
      for (int r = 0; r < kRows; r++) {
        const Ints weight = load_ints(codes + r * weights.stride + j * 4 + part);
#pragma GCC unroll 8
        for (int l = 0; l < kLines; l++) add_dot_unsigned(sums[r][l], weight, values[l]);
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; r++) {
    Ints mixed[kLineVectors];
    add_lanes(mixed, sums[r]);
    float* acc = block.state.acc + (row + r) * block.layout->value_cols + column;
#pragma GCC unroll 8
    for (int v = 0; v < kLineVectors; v++) {
      add_mixed(acc + v * kLanes, mixed[v], weights.keep[row + r], weights.step[row + r]);
    }
  }
}

inline void mix_heads(const AttentionBlock& block, const CodedWeights& weights, KvColumns columns, Fetch& fetch) {
  for_tiles<kMixRows>(block.n_rows, [&]<int kRows>(int64_t row) {
    const int64_t n_keys = most_visible(block, row, kRows);
    int64_t c = columns.begin;
    for (; c + kMixLines * kLineTokens <= columns.end; c += kMixLines * kLineTokens) {
      mix_head_lines<kRows, kMixLines>(block, weights, row, c, n_keys, fetch);
    }
    for (; c < columns.end; c += kLineTokens) mix_head_lines<kRows, 1>(block, weights, row, c, n_keys, fetch);
  });
}

inline void mix_latents(const AttentionBlock& block, const CodedWeights& weights, KvColumns columns, Fetch& fetch) {
  for (int64_t c = columns.begin; c < columns.end; c += 4 * kLineCols) {
    for_tiles<kMixRows>(block.n_rows, [&]<int kRows>(int64_t row) {
      mix_latent_lines<kRows>(block, weights, row, c, most_visible(block, row, kRows), fetch);
    });
  }
}

template <bool kIsLatent>
void attend_q8(const AttentionBlock& block) {
  const KvLayout& layout = *block.layout;
  Fetch fetch(block);
  for (int64_t page = 0; page < kBlockPages && block.pages[page] != nullptr; page++) score_q8_page(block, page, fetch);
  float keep[kMaxBlockRows], step[kMaxBlockRows];
  for (int64_t i = 0; i < block.n_rows; i++) keep[i] = softmax_row(block, i);
  const int64_t n_padded = (most_visible(block, 0, block.n_rows) + kLineTokens - 1) / kLineTokens * kLineTokens;
  for (int64_t group = 0; group < layout.n_value_groups; group++) {
    const KvColumns columns = value_columns(layout, group);
    const CodedWeights weights = {block.codes, kIsLatent ? 4 * kBlockTokens : kBlockTokens, keep, step};
    for (int64_t i = 0; i < block.n_rows; i++) {
      uint8_t* codes = block.codes + i * weights.stride;
      if constexpr (kIsLatent) {
        uint8_t packed[kBlockTokens];
        step[i] = code_weights(packed, block, i, columns.scale, n_padded);
        for (int64_t j = 0; j < n_padded; j += kLineTokens) repeat_words(codes + 4 * j, packed + j);
      } else {
        step[i] = code_weights(codes, block, i, columns.scale, n_padded);
      }
    }
    if constexpr (kIsLatent) {
      mix_latents(block, weights, columns, fetch);
    } else {
      mix_heads(block, weights, columns, fetch);
    }
  }
}

}  // namespace
}  // namespace minke
