// Into and out of the pages of a KV cache (kernels/attention/kv_layout.h), and queries to int8.
// f16 and bf16 are rounded to nearest, ties to even. kQ8: d = max|x| / 127 in f32, codes = round(x * (127 / max|x|)); an
// infinity or NaN makes d NaN and so everything that reads the group; below kLeastCoded the group is 0.
#pragma once

#include <cstring>

#include "kernels/cpu/attention/table.h"
#include "kernels/cpu/panel_body.h"

namespace minke {
namespace {

constexpr float kLeastCoded = 0x1p-100f;

struct Coding {
  float scale, factor;
  bool is_bad;
};

// Of n numbers, a multiple of 16.
inline Coding coding_of(const float* x, int64_t n) {
  Vec most = zero(), poison = zero();
  for (int64_t c = 0; c < n; c += kLanes) {
    const Vec v = load(x + c);
    most = maximum(magnitude(v), most);
    poison = multiply_add(v, zero(), poison);  // NaN from an infinity or NaN
  }
  const float largest = lane_maximum(most);
  if (lane_sum(poison) != 0) return {__builtin_nanf(""), 0, true};
  if (largest < kLeastCoded) return {0, 0, false};
  return {largest / 127, 127 / largest, false};
}

// x * factor + offset in integers, as bytes.
inline void code(uint8_t* out, const float* x, int64_t n, const Coding& coding, float offset) {
  for (int64_t c = 0; c < n; c += kLanes) {
    const Vec q = coding.is_bad ? zero() : round_to_integer(multiply(load(x + c), broadcast(coding.factor)));
    store_as_bytes(out + c, add(q, broadcast(offset)));
  }
}

void code_query(const CodedQueries& coded, const KvLayout& layout, int64_t row, const float* x) {
  alignas(64) uint8_t biased[kMaxKvCols];
  for (int64_t group = 0; group < layout.n_query_groups; group++) {
    const KvColumns columns = query_columns(layout, group);
    const int64_t n = columns.end - columns.begin;
    const Coding coding = coding_of(x + columns.begin, n);
    code(biased, x + columns.begin, n, coding, 128);
    int32_t sum = 0;
    int8_t* codes = coded.codes + row * layout.key_cols + columns.begin;
    for (int64_t c = 0; c < n; c++) {
      const int q = biased[c] - 128;
      codes[c] = static_cast<int8_t>(q);
      sum += q;
    }
    coded.scales[row * layout.n_query_groups + group] = coding.scale;
    coded.offsets[row * layout.n_query_groups + group] = -128 * sum;
  }
}

// One row in the element type of the page.
template <KvType kType>
inline void narrow(uint8_t* out, const float* x, int64_t n) {
  for (int64_t c = 0; c < n; c += kLanes) {
    if constexpr (kType == KvType::kF32) store(reinterpret_cast<float*>(out) + c, load(x + c));
    if constexpr (kType == KvType::kF16) store_as_f16(out + 2 * c, load(x + c));
    if constexpr (kType == KvType::kBF16) store_as_bf16(out + 2 * c, load(x + c));
  }
}

template <KvType kType>
constexpr int64_t kElementBytes = kType == KvType::kF32 ? 4 : 2;

template <KvType kType>
void store_heads(const KvLayout& layout, std::byte* head, int64_t slot, const float* key, const float* value) {
  constexpr int64_t kNumberBytes = kElementBytes<kType>;
  alignas(64) uint8_t row[kMaxKvCols * kNumberBytes];
  narrow<kType>(row, key, layout.key_cols);
  for (int64_t c = 0; c < layout.key_cols; c++)
    std::memcpy(head + (c * kPageTokens + slot) * kNumberBytes, row + c * kNumberBytes, kNumberBytes);
  narrow<kType>(reinterpret_cast<uint8_t*>(head + layout.values_offset + slot * layout.value_cols * kNumberBytes), value,
                layout.value_cols);
}

template <KvType kType>
void store_latent(const KvLayout& layout, std::byte* head, int64_t slot, const float* key, const float*) {
  narrow<kType>(reinterpret_cast<uint8_t*>(head + slot * layout.key_cols * kElementBytes<kType>), key, layout.key_cols);
}

inline void put_scale(std::byte* head, int64_t offset, int64_t scale, int64_t slot, float value) {
  std::memcpy(head + offset + (scale * kPageTokens + slot) * static_cast<int64_t>(sizeof(float)), &value, sizeof(value));
}

inline void store_q8_key(const KvLayout& layout, std::byte* head, int64_t slot, const float* key) {
  alignas(64) uint8_t codes[kMaxKvCols];
  for (int64_t group = 0; group < layout.n_key_groups; group++) {
    const KvColumns columns = key_columns(layout, group);
    const Coding coding = coding_of(key + columns.begin, columns.end - columns.begin);
    code(codes + columns.begin, key + columns.begin, columns.end - columns.begin, coding, 128);
    put_scale(head, layout.key_scales_offset, columns.scale, slot, coding.scale);
  }
  std::byte* word = head + slot / 16 * layout.key_cols * 16 + slot % 16 * 4;
  for (int64_t c = 0; c < layout.key_cols; c += 4, word += 64) std::memcpy(word, codes + c, 4);
}

void store_q8_latent(const KvLayout& layout, std::byte* head, int64_t slot, const float* key, const float*) {
  store_q8_key(layout, head, slot, key);
}

void store_q8_heads(const KvLayout& layout, std::byte* head, int64_t slot, const float* key, const float* value) {
  store_q8_key(layout, head, slot, key);
  alignas(64) uint8_t codes[kMaxKvCols];
  for (int64_t group = 0; group < layout.n_value_groups; group++) {
    const KvColumns columns = value_columns(layout, group);
    const Coding coding = coding_of(value + columns.begin, columns.end - columns.begin);
    code(codes + columns.begin, value + columns.begin, columns.end - columns.begin, coding, 128);
    put_scale(head, layout.value_scales_offset, columns.scale, slot, coding.scale);
  }
  std::byte* byte = head + layout.values_offset + slot / 4 * layout.value_cols * 4 + slot % 4;
  for (int64_t c = 0; c < layout.value_cols; c++) byte[4 * c] = static_cast<std::byte>(codes[c] ^ 0x80);
}

template <typename Row>
void read_latents(float* out, const KvLayout& layout, const std::byte* head, int64_t n_tokens) {
  const uint8_t* rows = reinterpret_cast<const uint8_t*>(head);
  for (int64_t c = 0; c < n_tokens * layout.key_cols; c += kLanes) store(out + c, Row::load_at(rows, c));
}

// 16 columns of 4 tokens: four words of each of four lines.
inline void read_q8_words(float* out, int64_t stride, const std::byte* lines, const float* scales, int64_t n_tokens) {
  __m128i w[4];
  for (int l = 0; l < 4; l++) w[l] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(lines + 64 * l));
  const __m128i a = _mm_unpacklo_epi32(w[0], w[1]), b = _mm_unpacklo_epi32(w[2], w[3]);
  const __m128i c = _mm_unpackhi_epi32(w[0], w[1]), d = _mm_unpackhi_epi32(w[2], w[3]);
  const __m128i tokens[4] = {_mm_unpacklo_epi64(a, b), _mm_unpackhi_epi64(a, b), _mm_unpacklo_epi64(c, d),
                             _mm_unpackhi_epi64(c, d)};
  for (int64_t t = 0; t < n_tokens; t++) {
    Vec codes[16 / kLanes];
    load_bytes_as_floats(codes, tokens[t]);
    for (int v = 0; v < 16 / kLanes; v++) {
      store(out + t * stride + v * kLanes, multiply(subtract(codes[v], broadcast(128)), broadcast(scales[t])));
    }
  }
}

void read_q8_latents(float* out, const KvLayout& layout, const std::byte* head, int64_t n_tokens) {
  const float* all_scales = reinterpret_cast<const float*>(head + layout.key_scales_offset);
  for (int64_t group = 0; group < layout.n_key_groups; group++) {
    const KvColumns columns = key_columns(layout, group);
    for (int64_t j = 0; j < n_tokens; j += 4) {
      const std::byte* words = head + j / 16 * layout.key_cols * 16 + j % 16 * 4;
      const int64_t n = n_tokens - j < 4 ? n_tokens - j : 4;
      for (int64_t c = columns.begin; c < columns.end; c += 16) {
        read_q8_words(out + j * layout.key_cols + c, layout.key_cols, words + c * 16,
                      all_scales + columns.scale * kPageTokens + j, n);
      }
    }
  }
}

}  // namespace
}  // namespace minke
