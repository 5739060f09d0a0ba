#include "kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/check.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/ref/ref.h"

namespace minke {
namespace {

// Queries whose scores are computed together: 16 x 256 scores are 16 KB of stack.
constexpr int64_t kQueryTile = 16;

void check_block(const AttentionBlock& block, int64_t n_queries) {
  CHECK(n_queries >= 0 && block.n_keys >= 0 && block.n_keys <= kMaxAttentionKeys, "{} queries, {} keys", n_queries,
        block.n_keys);
  CHECK(!block.parts.empty(), "no key part");
  for (const KeyPart& part : block.parts) {
    CHECK(part.dim > 0 && (part.q.stride >= part.dim || n_queries <= 1) && (part.keys.stride >= part.dim || block.n_keys <= 1),
          "key part of {} with strides {} (q), {} (keys)", part.dim, part.q.stride, part.keys.stride);
  }
  CHECK(block.values.stride >= block.v_dim || block.n_keys <= 1, "v_dim {}, stride {}", block.v_dim, block.values.stride);
}

// scores [n, kMaxAttentionKeys] of queries [first, first + n) against keys [0, n_keys), without the scale.
void tile_scores(float* scores, const AttentionBlock& block, int64_t first, int64_t n, int64_t n_keys,
                 const KernelTable& table) {
  Accumulate accumulate = Accumulate::kOverwrite;
  for (const KeyPart& part : block.parts) {
    const int64_t key_stride_bytes = part.keys.stride * static_cast<int64_t>(sizeof(float));
    for (int64_t c = 0; c < part.dim; c += kDotBlock) {
      table.dot_f32(scores, kMaxAttentionKeys, part.q.data + first * part.q.stride + c, part.q.stride, n,
                    reinterpret_cast<const uint8_t*>(part.keys.data + c), key_stride_bytes, n_keys,
                    std::min(kDotBlock, part.dim - c), accumulate);
      accumulate = Accumulate::kAdd;
    }
  }
}

// Turns the scores of one query into weights exp(s - max), and moves its state to the new maximum.
void update_query(float* scores, const AttentionState& state, const AttentionBlock& block, int64_t query,
                  const KernelTable& table) {
  const int64_t n = block.n_visible_to(query);
  if (n == 0) return;
  for (int64_t j = 0; j < n; j++) scores[j] *= block.softmax_scale;
  const float max = std::max(state.max[query], table.row_max(scores, n));
  const float keep = std::exp(state.max[query] - max);
  const float added = table.exp_row(scores, scores, max, n);
  state.max[query] = max;
  state.sum[query] = state.sum[query] * keep + added;
  float* acc = state.acc.data + query * state.acc.stride;
  for (int64_t c = 0; c < block.v_dim; c++) acc[c] *= keep;
}

void attend_tile(const AttentionState& state, const AttentionBlock& block, int64_t first, int64_t n, const KernelTable& table) {
  alignas(64) float scores[kQueryTile * kMaxAttentionKeys];
  int64_t most = 0, common = block.n_keys;
  for (int64_t i = 0; i < n; i++) {
    most = std::max(most, block.n_visible_to(first + i));
    common = std::min(common, block.n_visible_to(first + i));
  }
  if (most == 0) return;
  tile_scores(scores, block, first, n, most, table);
  for (int64_t i = 0; i < n; i++) update_query(scores + i * kMaxAttentionKeys, state, block, first + i, table);
  // Keys that all queries see go together; the rest query by query. A weight of 0 instead would let a NaN of a later token
  // reach earlier ones. Each sum runs over the keys in order either way.
  const ConstRows& values = block.values;
  float* acc = state.acc.data + first * state.acc.stride;
  table.axpy_panel(acc, state.acc.stride, scores, kMaxAttentionKeys, n, values.data, values.stride, common, block.v_dim);
  for (int64_t i = 0; i < n; i++) {
    const int64_t rest = block.n_visible_to(first + i) - common;
    if (rest == 0) continue;
    table.axpy_panel(acc + i * state.acc.stride, state.acc.stride, scores + i * kMaxAttentionKeys + common, kMaxAttentionKeys,
                     1, values.data + common * values.stride, values.stride, rest, block.v_dim);
  }
}

}  // namespace

int64_t AttentionBlock::n_visible_to(int64_t query) const {
  return n_visible == nullptr ? n_keys : std::clamp(n_visible[query], int64_t{0}, n_keys);
}

void attention_begin(const AttentionState& state, int64_t n_queries, int64_t v_dim) {
  for (int64_t i = 0; i < n_queries; i++) {
    state.max[i] = -std::numeric_limits<float>::infinity();
    state.sum[i] = 0;
    std::fill_n(state.acc.data + i * state.acc.stride, v_dim, 0.0f);
  }
}

void attend_block(const AttentionState& state, const AttentionBlock& block, int64_t n_queries, const Context& context) {
  check_block(block, n_queries);
  if (context.isa == Isa::kRef) return ref::attend_block(state, block, n_queries);
  const KernelTable& table = kernels(context.isa);
  for (int64_t i = 0; i < n_queries; i += kQueryTile) {
    attend_tile(state, block, i, std::min(kQueryTile, n_queries - i), table);
  }
}

void attention_finish(Rows out, const AttentionState& state, int64_t n_queries, int64_t v_dim) {
  for (int64_t i = 0; i < n_queries; i++) {
    const bool saw_keys = state.max[i] != -std::numeric_limits<float>::infinity() || state.sum[i] != 0;
    const float factor = saw_keys ? 1.0f / state.sum[i] : 0.0f;
    for (int64_t c = 0; c < v_dim; c++) out.data[i * out.stride + c] = state.acc.data[i * state.acc.stride + c] * factor;
  }
}

void attend(Rows out, const AttentionBlock& all, int64_t n_queries, const Context& context) {
  CHECK(all.parts.size() <= 2, "{} key parts", all.parts.size());
  std::vector<float> max(static_cast<size_t>(n_queries)), sum(static_cast<size_t>(n_queries));
  const AttentionState state = {max.data(), sum.data(), out};
  attention_begin(state, n_queries, all.v_dim);
  std::vector<int64_t> n_visible(static_cast<size_t>(n_queries));
  KeyPart parts[2];
  for (int64_t first = 0; first < all.n_keys; first += kAttentionBlock) {
    for (size_t p = 0; p < all.parts.size(); p++) {
      parts[p] = all.parts[p];
      parts[p].keys.data += first * parts[p].keys.stride;
    }
    for (int64_t i = 0; i < n_queries; i++) n_visible[static_cast<size_t>(i)] = all.n_visible_to(i) - first;
    AttentionBlock block = all;
    block.parts = std::span<const KeyPart>(parts, all.parts.size());
    block.values.data += first * block.values.stride;
    block.n_keys = std::min(kAttentionBlock, all.n_keys - first);
    block.n_visible = n_visible.data();
    attend_block(state, block, n_queries, context);
  }
  attention_finish(out, state, n_queries, all.v_dim);
}

}  // namespace minke
