// The running softmax of attention, over the vectors of vec_*.h. What a row becomes depends on its own scores alone.
#pragma once

#include "kernels/cpu/attention/fetch_body.h"
#include "kernels/cpu/attention/table.h"
#include "kernels/cpu/row_body.h"

namespace minke {
namespace {

inline float exp_of(float x) { return first_lane(exponential(broadcast(x))); }

// Calls body.operator()<k>(i) for tiles of kMost rows, i = 0, kMost, ..., and one smaller tile for what is left.
template <int kRows, typename Body>
inline void last_tile(int64_t n, int64_t i, const Body& body) {
  if constexpr (kRows > 0) {
    if (n == kRows) {
      body.template operator()<kRows>(i);
    } else {
      last_tile<kRows - 1>(n, i, body);
    }
  }
}
template <int kMost, typename Body>
inline void for_tiles(int64_t n, const Body& body) {
  int64_t i = 0;
  for (; i + kMost <= n; i += kMost) body.template operator()<kMost>(i);
  last_tile<kMost - 1>(n - i, i, body);
}

inline int64_t most_visible(const AttentionBlock& block, int64_t row, int64_t n_rows) {
  int64_t most = 0;
  for (int64_t i = row; i < row + n_rows; i++) most = block.n_visible[i] > most ? block.n_visible[i] : most;
  return most;
}
inline int64_t least_visible(const AttentionBlock& block, int64_t row, int64_t n_rows) {
  int64_t least = block.n_visible[row];
  for (int64_t i = row; i < row + n_rows; i++) least = block.n_visible[i] < least ? block.n_visible[i] : least;
  return least;
}

// Scores of a row become exp(score - max), the row's state moves to the new maximum. Returns what acc is to be multiplied by.
inline float softmax_row(const AttentionBlock& block, int64_t row) {
  const int64_t n = block.n_visible[row];
  if (n == 0) return 1;
  float* scores = block.scores + row * kBlockTokens;
  const Vec scale = broadcast(block.softmax_scale), lowest = broadcast(-__builtin_inff());
  Vec most = lowest;
  for_vectors(n, [&](int64_t c, int64_t part) {
    const Vec s = multiply(load(scores + c), scale);  // whole rows of scratch: what is beyond n is cut off here
    store(scores + c, s);
    most = maximum(part > 0 ? select_first(part, s, lowest) : s, most);
  });
  const float block_max = lane_maximum(most), old_max = block.state.max[row];
  const float max = block_max > old_max ? block_max : old_max;
  const Vec base = broadcast(max);
  Vec sum = zero();
  for_vectors(n, [&](int64_t c, int64_t part) {
    Vec e = exponential(subtract(load(scores + c), base));
    if (part > 0) e = select_first(part, e, zero());
    store(scores + c, e);
    sum = add(sum, e);
  });
  const float keep = exp_of(old_max - max);
  block.state.max[row] = max;
  block.state.sum[row] = block.state.sum[row] * keep + lane_sum(sum);
  return keep;
}

inline void merge_states(const AttentionState& state, const AttentionState& part, int64_t n_rows, int64_t value_cols) {
  for (int64_t i = 0; i < n_rows; i++) {
    if (part.sum[i] == 0 && part.max[i] == -__builtin_inff()) continue;
    const float max = part.max[i] > state.max[i] ? part.max[i] : state.max[i];
    const float keep = exp_of(state.max[i] - max), take = exp_of(part.max[i] - max);
    state.max[i] = max;
    state.sum[i] = state.sum[i] * keep + part.sum[i] * take;
    float* acc = state.acc + i * value_cols;
    const float* more = part.acc + i * value_cols;
    for (int64_t c = 0; c < value_cols; c += kLanes) {
      store(acc + c, multiply_add(load(more + c), broadcast(take), multiply(load(acc + c), broadcast(keep))));
    }
  }
}

inline void finish_row(float* out, const float* acc, float sum, int64_t n_cols) {
  const Vec factor = broadcast(1.0f / sum);
  for_vectors(n_cols, [&](int64_t c, int64_t n) { store_part(out + c, n, multiply(load(acc + c), factor)); });
}

}  // namespace
}  // namespace minke
