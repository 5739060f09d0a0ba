#include "model/model.h"

#include <numeric>

#include "base/check.h"
#include "kernels/convert.h"
#include "kernels/elementwise.h"
#include "kernels/norm.h"
#include "model/blocks/attention_gqa.h"
#include "model/blocks/attention_mla.h"
#include "model/blocks/mlp.h"
#include "model/blocks/moe.h"
#include "model/blocks/mtp.h"
#include "model/loader.h"

namespace minke {
namespace {

// hidden [n_tokens, hidden_size] of the batch's tokens.
void embed(float* hidden, const Weight& embedding, const Step& step) {
  int64_t dim = step.config.hidden_size;
  step.context.parallel_for(step.n_tokens, 16, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; t++) {
      dequantize_weight_rows(hidden + t * dim, embedding, step.batch.tokens[static_cast<size_t>(t)], 1);
    }
  });
  float multiplier = static_cast<float>(step.config.embedding_multiplier);
  if (multiplier != 1.0f) scale(hidden, hidden, multiplier, step.n_tokens * dim, step.context);
}

// hidden += residual_multiplier * post_norm(part)
void add_residual(float* hidden, float* part, const Vector& post_norm, const Step& step) {
  const ModelConfig& c = step.config;
  int64_t n = step.n_tokens * c.hidden_size;
  if (!post_norm.empty()) {
    rms_norm(part, part, post_norm.data(), step.n_tokens, c.hidden_size, static_cast<float>(c.rms_norm_eps), step.context);
  }
  if (c.residual_multiplier == 1.0) {
    add(hidden, hidden, part, n, step.context);
  } else {
    axpy(hidden, static_cast<float>(c.residual_multiplier), part, n, step.context);
  }
}

// What the first projections read.
Codings codings_of(const AttentionWeights& w) {
  Codings codings;
  for (const Linear* linear : {&w.q_proj, &w.k_proj, &w.v_proj, &w.q_a_proj, &w.kv_a_proj}) {
    codings = codings | codings_of(linear->weight);
  }
  return codings;
}

// One transformer layer, in place on hidden [n_tokens, hidden_size]. `next`: the layer that runs after it, or null.
void run_layer(float* hidden, const LayerWeights& w, const LayerWeights* next, int64_t layer, const Step& step) {
  const ModelConfig& c = step.config;
  int64_t n = step.n_tokens, dim = c.hidden_size;
  Arena::Mark mark = step.arena.mark();
  float* part = step.arena.allocate<float>(n * dim);

  Activations normed = normed_activations(hidden, w.attn_norm, dim, c.rms_norm_eps, codings_of(w.attention), step);
  step.record(layer, "attn_norm", normed.rows.data, dim);
  if (c.attention == AttentionKind::kMla) {
    attention_mla(part, normed, w.attention, layer, step);
  } else {
    attention_gqa(part, normed, w.attention, layer, step);
  }
  step.record(layer, "attn_out", part, dim);
  add_residual(hidden, part, w.attn_post_norm, step);
  step.record(layer, "attn_residual", hidden, dim);

  bool is_moe = c.is_moe_layer(layer);
  normed =
      normed_activations(hidden, w.mlp_norm, dim, c.rms_norm_eps, is_moe ? codings_of(w.moe, step) : codings_of(w.mlp), step);
  step.record(layer, "mlp_norm", normed.rows.data, dim);
  if (is_moe) {
    moe(part, normed, w.moe, next == nullptr || next->moe.experts.empty() ? nullptr : &next->moe, layer, step);
  } else {
    mlp(part, normed, w.mlp, step);
  }
  step.record(layer, "mlp_out", part, dim);
  add_residual(hidden, part, w.mlp_post_norm, step);
  step.record(layer, "hidden", hidden, dim);
  step.arena.rewind(mark);
}

// logits [n_rows, vocab_size] of the chosen rows of `normed` [n_tokens, hidden_size].
void run_head(std::vector<float>& logits, const float* normed, const Weight& lm_head, const Step& step) {
  const ModelConfig& c = step.config;
  int64_t n_rows = static_cast<int64_t>(step.batch.logit_rows.size()), dim = c.hidden_size;
  logits.resize(static_cast<size_t>(n_rows * c.vocab_size));
  float* chosen = step.arena.allocate<float>(n_rows * dim);
  for (int64_t i = 0; i < n_rows; i++) {
    std::copy_n(normed + step.batch.logit_rows[static_cast<size_t>(i)] * dim, dim, chosen + i * dim);
  }
  Activations x = activations(chosen, n_rows, dim, codings_of(lm_head), step);
  const Product product = {{logits.data(), c.vocab_size}, &x, &lm_head, n_rows, nullptr};
  multiply({&product, 1}, step);
  float multiplier = static_cast<float>(c.logits_multiplier);
  if (multiplier != 1.0f) scale(logits.data(), logits.data(), multiplier, n_rows * c.vocab_size, step.context);
}

}  // namespace

Result<std::unique_ptr<Model>> Model::load(const std::string& path, const LoadOptions& options) {
  std::unique_ptr<Model> model(new Model());
  LoadedWeights loaded = TRY(load_weights(path, model->weights_, options));
  model->config_ = std::move(loaded.config);
  model->rope_ = rope_frequencies(model->config_.rope, loaded.rope_divisors);
  model->files_ = std::move(loaded.files);
  model->packed_ = std::move(loaded.packed);
  if (loaded.expert_bytes > 0) {
    model->experts_ =
        TRY_IN("memory for weights", ExpertCache::create(model->config_, model->weights_, model->files_->tensors.files(),
                                                         loaded.expert_bytes, options.pack));
  }
  return model;
}

Status Model::check_batch(const Batch& batch) const {
  size_t n_tokens = 0;
  for (const BatchSequence& sequence : batch.sequences) {
    CHECK(sequence.cache != nullptr && sequence.n_tokens > 0, "n_tokens {}", sequence.n_tokens);
    n_tokens += static_cast<size_t>(sequence.n_tokens);
    int64_t length = sequence.cache->n_tokens + sequence.n_tokens;
    if (length > config_.max_seq_len) {
      return error("a sequence of {} tokens is longer than the model's context of {}", length, config_.max_seq_len);
    }
  }
  CHECK(n_tokens == batch.tokens.size() && n_tokens > 0, "{} tokens in sequences, {} in the batch", n_tokens,
        batch.tokens.size());
  for (int64_t row : batch.logit_rows)
    CHECK(row >= 0 && row < static_cast<int64_t>(n_tokens), "logit row {} of {}", row, n_tokens);
  for (TokenId token : batch.tokens) {
    if (token < 0 || token >= config_.vocab_size) {
      return error("token {}: the model's vocabulary is 0 to {}", token, config_.vocab_size - 1);
    }
  }
  return {};
}

Result<Step> Model::begin_step(const Batch& batch, KvCache& cache, const Context& context, const ActivationSink* sink) {
  TRY(check_batch(batch));
  for (const BatchSequence& sequence : batch.sequences) {
    TRY(cache.reserve(*sequence.cache, sequence.cache->n_tokens + sequence.n_tokens));
  }
  arena_.reset();
  int64_t n = static_cast<int64_t>(batch.tokens.size()), half = config_.rope.dim / 2;
  int64_t* positions = arena_.allocate<int64_t>(n);
  int64_t* rope_rows = arena_.allocate<int64_t>(n);
  std::iota(rope_rows, rope_rows + n, int64_t{0});
  int64_t token = 0;
  for (const BatchSequence& sequence : batch.sequences) {
    for (int64_t i = 0; i < sequence.n_tokens; i++) positions[token++] = sequence.cache->n_tokens + i;
  }
  float* cos = arena_.allocate<float>(n * half);
  float* sin = arena_.allocate<float>(n * half);
  rope_angles(cos, sin, positions, n, rope_);
  RopeLayout layout = config_.rope.interleaved ? RopeLayout::kInterleaved : RopeLayout::kHalf;
  return Step{config_, batch, cache,         n, RopeTable{cos, sin, n, config_.rope.dim}, rope_rows, layout, arena_,
              context, sink,  experts_.get()};
}

Status Model::forward(std::vector<float>& logits, const Batch& batch, KvCache& cache, const Context& context,
                      const ActivationSink* sink) {
  Step step = TRY(begin_step(batch, cache, context, sink));
  int64_t n = step.n_tokens;
  float* hidden = arena_.allocate<float>(n * config_.hidden_size);  // [n_tokens, hidden_size]
  embed(hidden, weights_.embedding, step);
  step.record(-1, "embed", hidden, config_.hidden_size);
  for (int64_t layer = 0; layer < config_.n_layers; layer++) {
    const LayerWeights* next = layer + 1 < config_.n_layers ? &weights_.layers[static_cast<size_t>(layer + 1)] : nullptr;
    run_layer(hidden, weights_.layers[static_cast<size_t>(layer)], next, layer, step);
  }
  rms_norm(hidden, hidden, weights_.final_norm.data(), n, config_.hidden_size, static_cast<float>(config_.rms_norm_eps),
           context);
  step.record(-1, "final_norm", hidden, config_.hidden_size);
  if (batch.hidden != nullptr) batch.hidden->assign(hidden, hidden + n * config_.hidden_size);
  run_head(logits, hidden, weights_.lm_head, step);
  for (const BatchSequence& sequence : batch.sequences) sequence.cache->n_tokens += sequence.n_tokens;
  return {};
}

Status Model::forward_mtp(std::vector<float>& logits, const Batch& batch, std::span<const float> hidden, KvCache& cache,
                          const Context& context) {
  CHECK(config_.n_mtp_layers > 0, "{} layers of multi-token prediction", config_.n_mtp_layers);
  Step step = TRY(begin_step(batch, cache, context, nullptr));
  int64_t n = step.n_tokens, dim = config_.hidden_size;
  CHECK(static_cast<int64_t>(hidden.size()) == n * dim, "{} numbers for {} rows of {}", hidden.size(), n, dim);
  const MtpWeights& w = weights_.mtp[0];
  float* embedded = arena_.allocate<float>(n * dim);  // [n_tokens, hidden_size]
  float* state = arena_.allocate<float>(n * dim);     // [n_tokens, hidden_size]
  embed(embedded, w.embedding, step);
  mtp_join(state, embedded, hidden.data(), w, step);
  run_layer(state, w.layer, nullptr, config_.n_layers, step);
  rms_norm(state, state, w.final_norm.data(), n, dim, static_cast<float>(config_.rms_norm_eps), context);
  if (batch.hidden != nullptr) batch.hidden->assign(state, state + n * dim);
  run_head(logits, state, w.lm_head, step);
  for (const BatchSequence& sequence : batch.sequences) sequence.cache->n_tokens += sequence.n_tokens;
  return {};
}

}  // namespace minke
