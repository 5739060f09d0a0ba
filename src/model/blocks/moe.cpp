#include "model/blocks/moe.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "kernels/activation.h"
#include "kernels/backward.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/elementwise.h"
#include "kernels/ref/ref.h"
#include "model/blocks/mlp.h"
#include "model/blocks/router.h"

namespace minke {
namespace {

Routing route(const Activations& x, const MoeWeights& w, const Step& step) {
  const MoeConfig& m = step.config.moe;
  int64_t n = step.n_tokens, k = m.n_experts_per_token;
  float* logits = step.keep<float>(n * m.n_routed_experts);  // [n_tokens, n_routed_experts]
  const Product product = {{logits, m.n_routed_experts}, &x, &w.router, n, nullptr};
  multiply({&product, 1}, step);
  Routing routing{logits, step.keep<int32_t>(n * k), step.keep<float>(n * k)};
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

Grouping group_by_expert(const Routing& routing, const Step& step) {
  const MoeConfig& m = step.config.moe;
  int64_t n_slots = step.n_tokens * m.n_experts_per_token;
  Grouping grouping{step.keep<int64_t>(m.n_routed_experts + 1), step.keep<int32_t>(n_slots), step.keep<int64_t>(n_slots)};
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

// Copies of the rows of x of these tokens.
Activations gather(const Activations& x, const int32_t* tokens, int64_t n, Codings codings, const Step& step) {
  float* rows = step.arena.allocate<float>(n * x.n_cols);
  for (int64_t i = 0; i < n; i++) {
    std::memcpy(rows + i * x.n_cols, x.rows.data + tokens[i] * x.rows.stride, static_cast<size_t>(x.n_cols) * sizeof(float));
  }
  return activations(rows, n, x.n_cols, codings, step);
}

// The part of `all` that starts at row `first`.
Activations from_row(const Activations& all, int64_t first) {
  Activations part = all;
  part.rows.data += first * all.rows.stride;
  if (part.int8.data != nullptr) part.int8.data += first * all.int8.stride;
  if (part.bf16.data != nullptr) part.bf16.data += first * all.bf16.stride;
  return part;
}

// What one expert computes: its tokens lie at places [first, first + n) of the buffers. The shared expert sees all tokens in
// their own order, in buffers of its own.
struct ExpertRun {
  const MlpWeights* w;
  int64_t first, n;
  bool is_shared;
};

// Buffers of all experts: of the routed ones by place, of the shared one by token. The results lie in `routed`
// [n_slots, hidden_size] and `shared` [n_tokens, hidden_size].
struct ExpertBuffers {
  float *gate, *up, *shared_gate, *shared_up;
  float *routed, *shared;
};

// What products with the weight of an expert read, which may still be in the file.
Codings codings_of_expert(const Weight& w, const Step& step) {
  return step.experts != nullptr && step.experts->packs(w) ? codings_of(w.dtype) : codings_of(w);
}

Codings codings_of_expert(const MlpWeights& w, const Step& step) {
  return codings_of_expert(w.gate_proj.weight, step) | codings_of_expert(w.up_proj.weight, step);
}

// True when every expert can pick the rows of its tokens from the coded x by index.
bool can_pick_rows(const MoeWeights& w, const Step& step) {
  return step.context.isa != Isa::kRef && std::all_of(w.experts.begin(), w.experts.end(), [&](const MlpWeights& e) {
           return codings_of_expert(e.gate_proj.weight, step).any() && codings_of_expert(e.up_proj.weight, step).any();
         });
}

// multiply_gated for a backward pass, which wants the rows before SwiGLU: those of gated[i] go to plain_gates[i].
void multiply_and_keep(std::span<const GatedProduct> gated, float* const* plain_gates, const Step& step) {
  const auto n = static_cast<int64_t>(gated.size());
  auto* products = step.arena.allocate<Product>(2 * n);
  for (int64_t i = 0; i < n; i++) {
    const GatedProduct& p = gated[static_cast<size_t>(i)];
    products[2 * i] = {{plain_gates[i], p.out.stride}, p.x, p.gate, p.n_tokens, p.token_rows};
    products[2 * i + 1] = {p.up_out, p.x, p.up, p.n_tokens, p.token_rows};
  }
  multiply({products, static_cast<size_t>(2 * n)}, step);
  for (int64_t i = 0; i < n; i++) {
    const GatedProduct& p = gated[static_cast<size_t>(i)];
    swiglu(p.out.data, products[2 * i].out.data, p.up_out.data, p.n_tokens * p.out.stride, step.context);
  }
}

// Gate, up and SwiGLU of the experts as one group of products, then down as another. The routed ones among them lie at places
// one after the other.
void run_experts(std::span<const ExpertRun> runs, const Activations& x, const Grouping& grouping, bool picks_rows,
                 const ExpertBuffers& buffers, const Step& step) {
  const MoeConfig& m = step.config.moe;
  int64_t n = step.n_tokens, hidden = step.config.hidden_size, width = m.intermediate_size;
  int64_t shared_width = width * m.n_shared_experts, first_place = runs[0].first, n_places = 0;
  Codings gate_codings, down_codings;
  for (const ExpertRun& run : runs) {
    if (run.is_shared) continue;
    n_places += run.n;
    gate_codings = gate_codings | codings_of(*run.w);
    down_codings = down_codings | codings_of(run.w->down_proj.weight);
  }
  Activations gathered = picks_rows ? x : gather(x, grouping.tokens + first_place, n_places, gate_codings, step);
  const auto n_runs = static_cast<int64_t>(runs.size());
  auto* inputs = step.arena.allocate<Activations>(n_runs);
  auto* gated = step.arena.allocate<GatedProduct>(n_runs);
  auto** plain_gates = step.arena.allocate<float*>(step.saved != nullptr ? n_runs : 0);
  for (int64_t i = 0; i < n_runs; i++) {
    const ExpertRun& run = runs[static_cast<size_t>(i)];
    inputs[i] = run.is_shared || picks_rows ? x : from_row(gathered, run.first - first_place);
    Rows out = run.is_shared ? Rows{buffers.shared_gate, shared_width} : Rows{buffers.gate + run.first * width, width};
    Rows up_out = run.is_shared ? Rows{buffers.shared_up, shared_width} : Rows{buffers.up + run.first * width, width};
    const int32_t* token_rows = picks_rows && !run.is_shared ? grouping.tokens + run.first : nullptr;
    if (step.saved != nullptr) {
      plain_gates[i] = run.is_shared ? step.saved->moe.shared.gate : step.saved->moe.routed.gate + run.first * width;
    }
    gated[i] = {out, up_out, &inputs[i], &run.w->gate_proj.weight, &run.w->up_proj.weight, run.n, token_rows};
  }
  if (step.saved != nullptr) {
    multiply_and_keep({gated, runs.size()}, plain_gates, step);
  } else {
    multiply_gated({gated, runs.size()}, step);
  }

  Activations routed_in = activations(buffers.gate + first_place * width, n_places, width, down_codings, step);
  auto* products = step.arena.allocate<Product>(n_runs);
  for (int64_t i = 0; i < n_runs; i++) {
    const ExpertRun& run = runs[static_cast<size_t>(i)];
    const Weight& down = run.w->down_proj.weight;
    inputs[i] = run.is_shared ? activations(buffers.shared_gate, n, shared_width, codings_of(down), step)
                              : from_row(routed_in, run.first - first_place);
    float* out = run.is_shared ? buffers.shared : buffers.routed + run.first * hidden;
    products[i] = {{out, hidden}, &inputs[i], &down, run.n, nullptr};
  }
  multiply({products, runs.size()}, step);
}

// The experts that the next layer will likely choose: what its router says of this layer's input. A layer adds little to the
// residual stream, so most of the guesses are right; a wrong one costs a read.
void read_next_ahead(const Activations& x, const MoeWeights& next, int64_t layer, const Step& step) {
  constexpr int64_t kFewTokens = 4;  // more of them want nearly all experts anyway
  if (step.n_tokens > kFewTokens) return;
  Arena::Mark mark = step.arena.mark();
  const Routing guess = route(x, next, step);
  step.experts->prefetch(layer, {guess.experts, static_cast<size_t>(step.n_tokens * step.config.moe.n_experts_per_token)});
  step.arena.rewind(mark);
}

// All experts that some token chose, and the shared one; those on disk as many at a time as there is room for.
ExpertBuffers run_all_experts(const Activations& x, const MoeWeights& w, const MoeWeights* next, int64_t layer,
                              const Grouping& grouping, const Step& step) {
  const MoeConfig& m = step.config.moe;
  int64_t n = step.n_tokens, n_slots = grouping.offsets[m.n_routed_experts], width = m.intermediate_size;
  // An adapter of the shared expert adds to its rows before SwiGLU, which the groups' fused product cannot: then it runs apart.
  const bool shared_apart = has_adapter(w.shared);
  int64_t hidden = step.config.hidden_size, shared_size = shared_apart ? 0 : n * width * m.n_shared_experts;
  Arena& arena = step.arena;
  ExpertBuffers buffers{arena.allocate<float>(n_slots * width),  step.keep<float>(n_slots * width),
                        arena.allocate<float>(shared_size),      step.keep<float>(shared_size),
                        arena.allocate<float>(n_slots * hidden), arena.allocate<float>(n * hidden)};
  if (step.saved != nullptr) {
    step.saved->moe.routed = {step.keep<float>(n_slots * width), buffers.up};
    step.saved->moe.shared = {step.keep<float>(shared_size), buffers.shared_up};
  }
  if (shared_apart) {
    Arena::Mark mark = arena.mark();
    mlp(buffers.shared, x, w.shared, step);
    if (step.saved != nullptr) step.saved->moe.shared = step.saved->mlp;
    arena.rewind(mark);
  }
  const bool picks_rows = can_pick_rows(w, step);
  const int64_t most = step.experts == nullptr ? m.n_routed_experts : step.experts->max_acquired();
  auto* runs = arena.allocate<ExpertRun>(most + 1);
  auto* experts = arena.allocate<int32_t>(most);
  auto* acquired = arena.allocate<const MlpWeights*>(most);
  int64_t n_runs = 0;
  for (int64_t e = 0; e < m.n_routed_experts; e++) {
    int64_t first = grouping.offsets[e], n_rows = grouping.offsets[e + 1] - first;
    if (n_rows > 0) {
      experts[n_runs] = static_cast<int32_t>(e);
      runs[n_runs++] = {&w.experts[static_cast<size_t>(e)], first, n_rows, false};
    }
    const bool is_last = grouping.offsets[e + 1] == n_slots;
    if (n_runs == 0 || (n_runs < most && !is_last)) continue;
    if (step.experts != nullptr) {
      const auto count = static_cast<size_t>(n_runs);
      step.experts->acquire({acquired, count}, layer, {experts, count}, step.context);
      for (int64_t i = 0; i < n_runs; i++) runs[i].w = acquired[i];
      if (is_last && next != nullptr) read_next_ahead(x, *next, layer + 1, step);
    }
    if (is_last && m.n_shared_experts > 0 && !shared_apart) runs[n_runs++] = {&w.shared, 0, n, true};
    Arena::Mark mark = arena.mark();
    run_experts({runs, static_cast<size_t>(n_runs)}, x, grouping, picks_rows, buffers, step);
    arena.rewind(mark);
    n_runs = 0;
    if (is_last) break;
  }
  return buffers;
}

}  // namespace

Codings codings_of(const MoeWeights& w, const Step& step) {
  Codings codings = codings_of(w.router) | codings_of(w.shared);
  for (const MlpWeights& expert : w.experts) codings = codings | codings_of_expert(expert, step);
  return codings;
}

void moe(float* out, const Activations& x, const MoeWeights& w, const MoeWeights* next, int64_t layer, const Step& step) {
  const MoeConfig& m = step.config.moe;
  int64_t n = step.n_tokens, k = m.n_experts_per_token, hidden = step.config.hidden_size;
  Routing routing = route(x, w, step);
  step.record(layer, "topk_experts", routing.experts, k);
  step.record(layer, "topk_weights", routing.weights, k);
  Grouping grouping = group_by_expert(routing, step);
  if (step.saved != nullptr) step.saved->moe = {routing, grouping, {}, {}, 0};
  ExpertBuffers results = run_all_experts(x, w, next, layer, grouping, step);

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

// --- backward
// -----------------------------------------------------------------------------------------------------------------

namespace {

// The routed experts that got tokens, as groups of products.
struct ExpertGroups {
  std::span<const MlpWeights> experts;
  const Grouping& grouping;
  const Step& step;

  // run(expert, first place, number of places) for each, in order.
  template <typename Run>
  void for_each(Run run) const {
    for (size_t e = 0; e < experts.size(); e++) {
      const int64_t first = grouping.offsets[e], n = grouping.offsets[e + 1] - first;
      if (n > 0) run(experts[e], first, n);
    }
  }

  // out, by place, (+)= the rows of d_out times the matrix that `of` names; rows by token or by place.
  template <typename Of>
  void multiply_transposed(float* out, const float* d_out, bool by_token, Of of, Accumulate accumulate) const {
    auto* jobs = step.arena.allocate<MatmulJob>(static_cast<int64_t>(experts.size()));
    size_t n_jobs = 0;
    for_each([&](const MlpWeights& w, int64_t first, int64_t n) {
      const Weight& m = of(w);
      const float* rows = by_token ? d_out : d_out + first * m.n_rows;
      jobs[n_jobs++] = {
          {out + first * m.n_cols, m.n_cols}, {rows, m.n_rows}, &m, n, by_token ? grouping.tokens + first : nullptr};
    });
    matmul_transposed_group({jobs, n_jobs}, accumulate, step.context);
  }

  // The matrices' gradients grow by those of these rows; d_out and x by token or by place.
  template <typename Of>
  void add_gradients(const float* d_out, bool d_out_by_token, const float* x, bool x_by_token, Of of) const {
    auto* jobs = step.arena.allocate<GradientJob>(static_cast<int64_t>(experts.size()));
    size_t n_jobs = 0;
    for_each([&](const MlpWeights& w, int64_t first, int64_t n) {
      const Weight& m = of(w);
      if (m.gradient == nullptr) return;
      jobs[n_jobs++] = {{m.gradient, m.n_rows, m.n_cols},
                        {d_out_by_token ? d_out : d_out + first * m.n_rows, m.n_rows},
                        {x_by_token ? x : x + first * m.n_cols, m.n_cols},
                        n,
                        d_out_by_token ? grouping.tokens + first : nullptr,
                        x_by_token ? grouping.tokens + first : nullptr};
    });
    matmul_gradient_group({jobs, n_jobs}, step.context);
  }
};

const Weight& gate_of(const MlpWeights& w) { return w.gate_proj.weight; }
const Weight& up_of(const MlpWeights& w) { return w.up_proj.weight; }
const Weight& down_of(const MlpWeights& w) { return w.down_proj.weight; }

// d_weights [n_slots], by slot; multiplies the rows of d_inner and inner [n_slots, width], by place, by the slots' weights.
void weigh_slots(float* d_weights, float* d_inner, float* inner, const SavedMoe& saved, int64_t width, const Step& step) {
  const Isa isa = step.context.isa;
  auto dot_row = isa == Isa::kRef ? ref::dot_row : kernels(isa).dot_row;
  const Context inner_context{nullptr, isa};
  const int64_t n_slots = step.n_tokens * step.config.moe.n_experts_per_token;
  step.context.parallel_for(n_slots, 16, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; s++) {
      float *d_row = d_inner + saved.grouping.places[s] * width, *row = inner + saved.grouping.places[s] * width;
      d_weights[s] = dot_row(d_row, row, width);
      scale(d_row, d_row, saved.routing.weights[s], width, inner_context);
      scale(row, row, saved.routing.weights[s], width, inner_context);
    }
  });
}

// d_x += the gradient by the routed experts; d_weights [n_slots], by slot.
void experts_backward(float* d_x, float* d_weights, const float* d_out, const float* x, const MoeWeights& w, const Step& step) {
  const SavedMoe& saved = step.saved->moe;
  const int64_t k = step.config.moe.n_experts_per_token, hidden = step.config.hidden_size;
  const int64_t n_slots = step.n_tokens * k, width = step.config.moe.intermediate_size, size = n_slots * width;
  const ExpertGroups groups = {w.experts, saved.grouping, step};
  float* inner = step.arena.allocate<float>(size);    // [n_slots, width]
  float* d_inner = step.arena.allocate<float>(size);  // [n_slots, width]
  swiglu(inner, saved.routed.gate, saved.routed.up, size, step.context);
  groups.multiply_transposed(d_inner, d_out, true, down_of, Accumulate::kOverwrite);
  weigh_slots(d_weights, d_inner, inner, saved, width, step);
  groups.add_gradients(d_out, true, inner, false, down_of);
  float *d_gate = inner, *d_up = d_inner;
  swiglu_backward(d_gate, d_up, d_inner, saved.routed.gate, saved.routed.up, size, step.context);
  groups.add_gradients(d_gate, false, x, true, gate_of);
  groups.add_gradients(d_up, false, x, true, up_of);
  float* d_rows = step.arena.allocate<float>(n_slots * hidden);  // [n_slots, hidden_size], by place
  groups.multiply_transposed(d_rows, d_gate, false, gate_of, Accumulate::kOverwrite);
  groups.multiply_transposed(d_rows, d_up, false, up_of, Accumulate::kAdd);
  const Context inner_context{nullptr, step.context.isa};
  step.context.parallel_for(step.n_tokens, 4, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin * k; s < end * k; s++) {
      add(d_x + s / k * hidden, d_x + s / k * hidden, d_rows + saved.grouping.places[s] * hidden, hidden, inner_context);
    }
  });
}

// The gradient by the router's logits, the balance loss among it, which is returned.
double routing_backward(float* d_logits, const float* d_weights, const Step& step) {
  const MoeConfig& m = step.config.moe;
  const Routing& routing = step.saved->moe.routing;
  const int64_t n_experts = m.n_routed_experts, k = m.n_experts_per_token;
  const auto n_rows = static_cast<int64_t>(step.balance.row_lengths.size());
  float* d_shares = step.arena.allocate<float>(n_rows * n_experts);
  float* scratch = step.arena.allocate<float>(2 * n_experts);
  double loss = 0;
  int64_t token = 0;
  for (int64_t row = 0; row < n_rows; row++) {
    const int64_t length = step.balance.row_lengths[static_cast<size_t>(row)];
    if (length == 0) continue;
    float* shares = d_shares + row * n_experts;
    loss += balance_loss(shares, routing.logits + token * n_experts, routing.experts + token * k, length, m, scratch);
    for (int64_t e = 0; e < n_experts; e++) shares[e] *= step.balance.factor;
    for (int64_t t = token; t < token + length; t++) {
      route_token_backward(d_logits + t * n_experts, d_weights + t * k, step.balance.factor == 0 ? nullptr : shares,
                           routing.logits + t * n_experts, routing.experts + t * k, m, scratch);
    }
    token += length;
  }
  CHECK(token == step.n_tokens, "{} tokens in rows, {} in the batch", token, step.n_tokens);
  return loss;
}

}  // namespace

void moe_backward(float* d_x, const float* d_out, const float* x, const MoeWeights& w, const Step& step) {
  const MoeConfig& m = step.config.moe;
  const int64_t n = step.n_tokens;
  const Arena::Mark mark = step.arena.mark();
  float* d_weights = step.arena.allocate<float>(n * m.n_experts_per_token);
  experts_backward(d_x, d_weights, d_out, x, w, step);
  if (m.n_shared_experts > 0) mlp_backward(d_x, d_out, step.saved->moe.shared, x, w.shared, n, step);
  float* d_logits = zeros(n * m.n_routed_experts, step);
  step.saved->moe.balance = routing_backward(d_logits, d_weights, step);
  linear_backward(d_x, d_logits, x, w.router, n, step);
  step.arena.rewind(mark);
}

}  // namespace minke
