// Attention over pages by their definition (kernels/attention/kv_layout.h), number by number.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/convert.h"
#include "kernels/ref/ref.h"

namespace minke::ref {
namespace {

// Where key column c of a token lies in a head's page, in elements.
int64_t key_index(const KvLayout& l, int64_t token, int64_t c) {
  if (l.type == KvType::kQ8) return token / 16 * l.key_cols * 16 + c / 4 * 64 + token % 16 * 4 + c % 4;
  return l.is_latent ? token * l.key_cols + c : c * kPageTokens + token;
}

int64_t value_index(const KvLayout& l, int64_t token, int64_t c) {
  if (l.is_latent) return key_index(l, token, c);
  return l.type == KvType::kQ8 ? token / 4 * l.value_cols * 4 + c * 4 + token % 4 : token * l.value_cols + c;
}

float load_float(const std::byte* at) {
  float value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

uint16_t load_half(const std::byte* at) {
  uint16_t value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

double number_at(KvType type, const std::byte* elements, int64_t index) {
  if (type == KvType::kF32) return load_float(elements + 4 * index);
  const uint16_t half = load_half(elements + 2 * index);
  return type == KvType::kF16 ? f16_to_f32(half) : bf16_to_f32(half);
}

double scale_of(const std::byte* head, int64_t offset, int64_t group, int64_t token) {
  return load_float(head + offset + 4 * (group * kPageTokens + token));
}

double key_at(const KvLayout& l, const std::byte* head, int64_t token, int64_t c) {
  const int64_t index = key_index(l, token, c);
  if (l.type != KvType::kQ8) return number_at(l.type, head, index);
  int64_t group = 0;
  while (c >= key_columns(l, group).end) group++;
  return (std::to_integer<int>(head[index]) - 128) * scale_of(head, l.key_scales_offset, group, token);
}

double value_at(const KvLayout& l, const std::byte* head, int64_t token, int64_t c) {
  if (l.is_latent) return key_at(l, head, token, c);
  const std::byte* values = head + l.values_offset;
  const int64_t index = value_index(l, token, c);
  if (l.type != KvType::kQ8) return number_at(l.type, values, index);
  int64_t group = 0;
  while (c >= value_columns(l, group).end) group++;
  return static_cast<int8_t>(values[index]) * scale_of(head, l.value_scales_offset, group, token);
}

void attend(const AttentionBlock& block) {
  const KvLayout& l = *block.layout;
  double weights[kBlockTokens];
  for (int64_t i = 0; i < block.n_rows; i++) {
    const int64_t n = block.n_visible[i];
    if (n == 0) continue;
    auto page_of = [&](int64_t j) { return block.pages[j / kPageTokens]; };
    double max = block.state.max[i];
    for (int64_t j = 0; j < n; j++) {
      double dot = 0;
      auto add_columns = [&](int64_t begin, int64_t n_cols) {
        for (int64_t c = begin; c < begin + n_cols; c++) {
          dot += double{block.queries[i * l.key_cols + c]} * key_at(l, page_of(j), j % kPageTokens, c);
        }
      };
      add_columns(0, l.key_dim);
      add_columns(l.first_cols, l.rope_dim);
      weights[j] = block.softmax_scale * dot;
      max = std::fmax(max, weights[j]);
    }
    // The running maximum is kept in f32, so everything is measured from its rounded value.
    max = static_cast<float>(max);
    const double keep = std::exp(double{block.state.max[i]} - max);
    double sum = block.state.sum[i] * keep;
    for (int64_t j = 0; j < n; j++) sum += weights[j] = std::exp(weights[j] - max);
    float* acc = block.state.acc + i * l.value_cols;
    for (int64_t c = 0; c < l.value_dim; c++) {
      double mixed = acc[c] * keep;
      for (int64_t j = 0; j < n; j++) mixed += weights[j] * value_at(l, page_of(j), j % kPageTokens, c);
      acc[c] = static_cast<float>(mixed);
    }
    block.state.max[i] = static_cast<float>(max);
    block.state.sum[i] = static_cast<float>(sum);
  }
}

void put_number(KvType type, std::byte* elements, int64_t index, float value) {
  const uint16_t half = type == KvType::kF16 ? f32_to_f16(value) : f32_to_bf16(value);
  if (type == KvType::kF32) {
    std::memcpy(elements + 4 * index, &value, 4);
  } else {
    std::memcpy(elements + 2 * index, &half, 2);
  }
}

struct Coding {
  float scale, factor;
};

Coding coding_of(const float* x, const KvColumns& columns) {
  float most = 0;
  bool is_bad = false;
  for (int64_t c = columns.begin; c < columns.end; c++) {
    most = std::fmax(most, std::fabs(x[c]));
    is_bad = is_bad || !std::isfinite(x[c]);
  }
  if (is_bad) return {std::numeric_limits<float>::quiet_NaN(), 0};
  return most < 0x1p-100f ? Coding{0, 0} : Coding{most / 127, 127 / most};
}

int code_of(float x, const Coding& coding) {
  return std::isnan(coding.scale) ? 0 : static_cast<int>(std::nearbyint(x * coding.factor));
}

void put_scale(std::byte* head, int64_t offset, int64_t group, int64_t slot, float scale) {
  std::memcpy(head + offset + 4 * (group * kPageTokens + slot), &scale, 4);
}

void store(const KvLayout& l, std::byte* head, int64_t slot, const float* key, const float* value) {
  std::byte* values = head + l.values_offset;
  if (l.type != KvType::kQ8) {
    for (int64_t c = 0; c < l.key_cols; c++) put_number(l.type, head, key_index(l, slot, c), key[c]);
    for (int64_t c = 0; !l.is_latent && c < l.value_cols; c++) put_number(l.type, values, value_index(l, slot, c), value[c]);
    return;
  }
  for (int64_t g = 0; g < l.n_key_groups; g++) {
    const KvColumns columns = key_columns(l, g);
    const Coding coding = coding_of(key, columns);
    put_scale(head, l.key_scales_offset, g, slot, coding.scale);
    for (int64_t c = columns.begin; c < columns.end; c++) {
      head[key_index(l, slot, c)] = static_cast<std::byte>(code_of(key[c], coding) + 128);
    }
  }
  for (int64_t g = 0; !l.is_latent && g < l.n_value_groups; g++) {
    const KvColumns columns = value_columns(l, g);
    const Coding coding = coding_of(value, columns);
    put_scale(head, l.value_scales_offset, g, slot, coding.scale);
    for (int64_t c = columns.begin; c < columns.end; c++) {
      values[value_index(l, slot, c)] = static_cast<std::byte>(code_of(value[c], coding));
    }
  }
}

void read_latents(float* out, const KvLayout& l, const std::byte* head, int64_t n_tokens) {
  for (int64_t j = 0; j < n_tokens; j++) {
    for (int64_t c = 0; c < l.key_cols; c++) out[j * l.key_cols + c] = static_cast<float>(key_at(l, head, j, c));
  }
}

void code_query(const CodedQueries& coded, const KvLayout& l, int64_t row, const float* x) {
  for (int64_t g = 0; g < l.n_query_groups; g++) {
    const KvColumns columns = query_columns(l, g);
    const Coding coding = coding_of(x, columns);
    int32_t sum = 0;
    for (int64_t c = columns.begin; c < columns.end; c++) {
      const int code = code_of(x[c], coding);
      coded.codes[row * l.key_cols + c] = static_cast<int8_t>(code);
      sum += code;
    }
    coded.scales[row * l.n_query_groups + g] = coding.scale;
    coded.offsets[row * l.n_query_groups + g] = -128 * sum;
  }
}

void merge(const AttentionState& state, const AttentionState& part, int64_t n_rows, int64_t value_cols) {
  for (int64_t i = 0; i < n_rows; i++) {
    if (part.sum[i] == 0 && std::isinf(part.max[i])) continue;
    const float max = std::max(state.max[i], part.max[i]);
    const double keep = std::exp(double{state.max[i]} - max), take = std::exp(double{part.max[i]} - max);
    state.max[i] = max;
    state.sum[i] = static_cast<float>(state.sum[i] * keep + part.sum[i] * take);
    for (int64_t c = 0; c < value_cols; c++) {
      float& acc = state.acc[i * value_cols + c];
      acc = static_cast<float>(acc * keep + part.acc[i * value_cols + c] * take);
    }
  }
}

void finish_row(float* out, const float* acc, float sum, int64_t n) {
  for (int64_t c = 0; c < n; c++) out[c] = static_cast<float>(double{acc[c]} / sum);
}

}  // namespace

const AttentionTable kAttention = {
    .attend_heads = {attend, attend, attend, attend},
    .attend_latent = {attend, attend, attend, attend},
    .store_heads = {store, store, store, store},
    .store_latent = {store, store, store, store},
    .read_latents = {read_latents, read_latents, read_latents, read_latents},
    .code_query = code_query,
    .merge = merge,
    .finish_row = finish_row,
};

}  // namespace minke::ref
