#include "model/blocks/moe.h"

#include <cstring>

#include "kernels/elementwise.h"
#include "model/blocks/mlp.h"
#include "model/blocks/router.h"

namespace minke {
namespace {

struct Routing {
  int32_t* experts;  // [n_tokens, n_experts_per_token]
  float* weights;    // [n_tokens, n_experts_per_token]
};

Routing route(const float* x, const MoeWeights& w, const Step& step) {
  const MoeConfig& m = step.config.moe;
  int64_t n = step.n_tokens, k = m.n_experts_per_token;
  float* logits = step.arena.allocate<float>(n * m.n_routed_experts);  // [n_tokens, n_routed_experts]
  matmul(logits, x, w.router, n, step.context);
  Routing routing{step.arena.allocate<int32_t>(n * k), step.arena.allocate<float>(n * k)};
  float* scratch = step.arena.allocate<float>(n * 2 * m.n_routed_experts);
  const float* bias = w.router_bias.empty() ? nullptr : w.router_bias.data();
  step.context.parallel_for(n, 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; t++) {
      route_token(routing.experts + t * k, routing.weights + t * k, logits + t * m.n_routed_experts, bias, m,
                  scratch + t * 2 * m.n_routed_experts);
    }
  });
  return routing;
}

// Tokens of each expert: rows[offsets[e] .. offsets[e + 1]) are indices into [n_tokens, n_experts_per_token].
struct Grouping {
  int64_t* offsets;  // [n_routed_experts + 1]
  int64_t* slots;    // [n_tokens * n_experts_per_token]
};

Grouping group_by_expert(const Routing& routing, const Step& step) {
  const MoeConfig& m = step.config.moe;
  int64_t n_slots = step.n_tokens * m.n_experts_per_token;
  Grouping grouping{step.arena.allocate<int64_t>(m.n_routed_experts + 1), step.arena.allocate<int64_t>(n_slots)};
  std::memset(grouping.offsets, 0, static_cast<size_t>(m.n_routed_experts + 1) * sizeof(int64_t));
  for (int64_t s = 0; s < n_slots; s++) grouping.offsets[routing.experts[s] + 1]++;
  for (int64_t e = 0; e < m.n_routed_experts; e++) grouping.offsets[e + 1] += grouping.offsets[e];
  int64_t* next = step.arena.allocate<int64_t>(m.n_routed_experts);
  std::memcpy(next, grouping.offsets, static_cast<size_t>(m.n_routed_experts) * sizeof(int64_t));
  for (int64_t s = 0; s < n_slots; s++) grouping.slots[next[routing.experts[s]]++] = s;
  return grouping;
}

}  // namespace

void moe(float* out, const float* x, const MoeWeights& w, int64_t layer, const Step& step) {
  const MoeConfig& m = step.config.moe;
  int64_t n = step.n_tokens, k = m.n_experts_per_token, hidden = step.config.hidden_size;
  Routing routing = route(x, w, step);
  step.record(layer, "topk_experts", routing.experts, k);
  step.record(layer, "topk_weights", routing.weights, k);
  Grouping grouping = group_by_expert(routing, step);

  float* gathered = step.arena.allocate<float>(n * hidden);  // rows of one expert's tokens
  float* result = step.arena.allocate<float>(n * hidden);
  std::memset(out, 0, static_cast<size_t>(n * hidden) * sizeof(float));
  Arena::Mark mark = step.arena.mark();
  for (int64_t e = 0; e < m.n_routed_experts; e++) {
    const int64_t* slots = grouping.slots + grouping.offsets[e];
    int64_t n_rows = grouping.offsets[e + 1] - grouping.offsets[e];
    if (n_rows == 0) continue;
    for (int64_t i = 0; i < n_rows; i++) {
      std::memcpy(gathered + i * hidden, x + slots[i] / k * hidden, static_cast<size_t>(hidden) * sizeof(float));
    }
    mlp(result, gathered, w.experts[static_cast<size_t>(e)], n_rows, step.arena, step.context);
    step.arena.rewind(mark);
    // Experts come in ascending order, so every token adds its experts in the same order whatever batch it is in.
    for (int64_t i = 0; i < n_rows; i++) {
      axpy(out + slots[i] / k * hidden, routing.weights[slots[i]], result + i * hidden, hidden, step.context);
    }
  }
  if (m.n_shared_experts == 0) return;
  mlp(result, x, w.shared, n, step.arena, step.context);
  add(out, out, result, n * hidden, step.context);
}

}  // namespace minke
