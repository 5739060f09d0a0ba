#include "model/blocks/moe.h"

#include <algorithm>
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

Routing route(const Activations& x, const MoeWeights& w, const Step& step) {
  const MoeConfig& m = step.config.moe;
  int64_t n = step.n_tokens, k = m.n_experts_per_token;
  float* logits = step.arena.allocate<float>(n * m.n_routed_experts);  // [n_tokens, n_routed_experts]
  const Product product = {{logits, m.n_routed_experts}, &x, &w.router, n, nullptr};
  multiply({&product, 1}, step);
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

// Slots are pairs of a token and one of its experts, [n_tokens, n_experts_per_token]. Grouped by expert: those of expert e are
// at places [offsets[e], offsets[e + 1]), in the order of their tokens.
struct Grouping {
  int64_t* offsets;  // [n_routed_experts + 1]
  int32_t* tokens;   // [n_slots], by place
  int64_t* places;   // [n_slots], by slot
};

Grouping group_by_expert(const Routing& routing, const Step& step) {
  const MoeConfig& m = step.config.moe;
  int64_t n_slots = step.n_tokens * m.n_experts_per_token;
  Grouping grouping{step.arena.allocate<int64_t>(m.n_routed_experts + 1), step.arena.allocate<int32_t>(n_slots),
                    step.arena.allocate<int64_t>(n_slots)};
  std::memset(grouping.offsets, 0, static_cast<size_t>(m.n_routed_experts + 1) * sizeof(int64_t));
  for (int64_t s = 0; s < n_slots; s++) grouping.offsets[routing.experts[s] + 1]++;
  for (int64_t e = 0; e < m.n_routed_experts; e++) grouping.offsets[e + 1] += grouping.offsets[e];
  int64_t* next = step.arena.allocate<int64_t>(m.n_routed_experts);
  std::memcpy(next, grouping.offsets, static_cast<size_t>(m.n_routed_experts) * sizeof(int64_t));
  for (int64_t s = 0; s < n_slots; s++) {
    grouping.places[s] = next[routing.experts[s]]++;
    grouping.tokens[grouping.places[s]] = static_cast<int32_t>(s / m.n_experts_per_token);
  }
  return grouping;
}

// The rows of x by place.
Activations gather(const Activations& x, const Grouping& grouping, int64_t n_slots, bool is_coded, const Step& step) {
  float* rows = step.arena.allocate<float>(n_slots * x.n_cols);
  for (int64_t p = 0; p < n_slots; p++) {
    std::memcpy(rows + p * x.n_cols, x.rows.data + grouping.tokens[p] * x.rows.stride,
                static_cast<size_t>(x.n_cols) * sizeof(float));
  }
  return activations(rows, n_slots, x.n_cols, is_coded, step);
}

// The part of `all` that starts at row `first`.
Activations from_row(const Activations& all, int64_t first) {
  Activations part = all;
  part.rows.data += first * all.rows.stride;
  if (part.coded.data != nullptr) part.coded.data += first * all.coded.stride;
  return part;
}

// What one expert computes: its tokens lie at places [first, first + n) of the buffers. The shared expert comes last and sees
// all tokens in their own order.
struct ExpertRun {
  const MlpWeights* w;
  int64_t first, n;
  bool is_shared;
};

struct ExpertRuns {
  ExpertRun* runs;
  int64_t n_runs;
  int64_t n_places;  // of routed experts; the shared expert has its own buffers
};

ExpertRuns list_runs(const MoeWeights& w, const Grouping& grouping, const Step& step) {
  const MoeConfig& m = step.config.moe;
  ExpertRuns list{step.arena.allocate<ExpertRun>(m.n_routed_experts + 1), 0, grouping.offsets[m.n_routed_experts]};
  for (int64_t e = 0; e < m.n_routed_experts; e++) {
    int64_t first = grouping.offsets[e], n = grouping.offsets[e + 1] - first;
    if (n > 0) list.runs[list.n_runs++] = {&w.experts[static_cast<size_t>(e)], first, n, false};
  }
  if (m.n_shared_experts > 0) list.runs[list.n_runs++] = {&w.shared, 0, step.n_tokens, true};
  return list;
}

bool all_packed(const MoeWeights& w) {
  return std::all_of(w.experts.begin(), w.experts.end(),
                     [](const MlpWeights& e) { return e.gate_proj.weight.is_packed && e.up_proj.weight.is_packed; });
}

// Results of all experts: routed [n_slots, hidden_size] by place, shared [n_tokens, hidden_size].
struct ExpertResults {
  float *routed, *shared;
};

// Gate, up and SwiGLU of all experts as one group of products, then down of all experts as another.
ExpertResults run_experts(const Activations& x, const MoeWeights& w, const Grouping& grouping, const Step& step) {
  const MoeConfig& m = step.config.moe;
  int64_t n = step.n_tokens, hidden = step.config.hidden_size, width = m.intermediate_size;
  int64_t shared_width = width * m.n_shared_experts;
  ExpertRuns list = list_runs(w, grouping, step);
  bool by_index = step.context.isa != Isa::kRef && all_packed(w);  // else every expert gets a copy of its tokens' rows
  Activations gathered = by_index ? x : gather(x, grouping, list.n_places, reads_coded(w), step);
  float* gate = step.arena.allocate<float>(list.n_places * width);
  float* up = step.arena.allocate<float>(list.n_places * width);
  float* shared_gate = step.arena.allocate<float>(n * shared_width);
  float* shared_up = step.arena.allocate<float>(n * shared_width);
  auto* inputs = step.arena.allocate<Activations>(list.n_runs);
  auto* gated = step.arena.allocate<GatedProduct>(list.n_runs);
  for (int64_t i = 0; i < list.n_runs; i++) {
    const ExpertRun& run = list.runs[i];
    inputs[i] = run.is_shared || by_index ? x : from_row(gathered, run.first);
    Rows out = run.is_shared ? Rows{shared_gate, shared_width} : Rows{gate + run.first * width, width};
    Rows up_out = run.is_shared ? Rows{shared_up, shared_width} : Rows{up + run.first * width, width};
    const int32_t* token_rows = by_index && !run.is_shared ? grouping.tokens + run.first : nullptr;
    gated[i] = {out, up_out, &inputs[i], &run.w->gate_proj.weight, &run.w->up_proj.weight, run.n, token_rows};
  }
  multiply_gated({gated, static_cast<size_t>(list.n_runs)}, step);

  ExpertResults results{step.arena.allocate<float>(list.n_places * hidden), step.arena.allocate<float>(n * hidden)};
  bool is_coded = std::any_of(w.experts.begin(), w.experts.end(), [](auto& e) { return e.down_proj.weight.is_packed; });
  Activations routed_in = activations(gate, list.n_places, width, is_coded, step);
  Activations shared_in{};
  if (m.n_shared_experts > 0) {
    shared_in = activations(shared_gate, n, shared_width, w.shared.down_proj.weight.is_packed, step);
  }
  auto* products = step.arena.allocate<Product>(list.n_runs);
  for (int64_t i = 0; i < list.n_runs; i++) {
    const ExpertRun& run = list.runs[i];
    inputs[i] = run.is_shared ? shared_in : from_row(routed_in, run.first);
    float* out = run.is_shared ? results.shared : results.routed + run.first * hidden;
    products[i] = {{out, hidden}, &inputs[i], &run.w->down_proj.weight, run.n, nullptr};
  }
  multiply({products, static_cast<size_t>(list.n_runs)}, step);
  return results;
}

}  // namespace

bool reads_coded(const MoeWeights& w) {
  return reads_coded(w.shared) ||
         std::any_of(w.experts.begin(), w.experts.end(), [](const MlpWeights& expert) { return reads_coded(expert); });
}

void moe(float* out, const Activations& x, const MoeWeights& w, int64_t layer, const Step& step) {
  const MoeConfig& m = step.config.moe;
  int64_t n = step.n_tokens, k = m.n_experts_per_token, hidden = step.config.hidden_size;
  Routing routing = route(x, w, step);
  step.record(layer, "topk_experts", routing.experts, k);
  step.record(layer, "topk_weights", routing.weights, k);
  Grouping grouping = group_by_expert(routing, step);
  ExpertResults results = run_experts(x, w, grouping, step);

  // Experts of a token are in ascending order, so every token adds them in the same order whatever batch it is in.
  const Context inner{nullptr, step.context.isa};
  step.context.parallel_for(n, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; t++) {
      float* row = out + t * hidden;
      std::memset(row, 0, static_cast<size_t>(hidden) * sizeof(float));
      for (int64_t s = t * k; s < (t + 1) * k; s++) {
        axpy(row, routing.weights[s], results.routed + grouping.places[s] * hidden, hidden, inner);
      }
      if (m.n_shared_experts > 0) add(row, row, results.shared + t * hidden, hidden, inner);
    }
  });
}

}  // namespace minke
