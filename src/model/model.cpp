#include "model/model.h"

#include "base/check.h"
#include "kernels/norm.h"
#include "model/blocks/embedding.h"
#include "model/blocks/head.h"
#include "model/blocks/layer.h"
#include "model/blocks/mtp.h"
#include "model/loader.h"

namespace minke {

Result<std::unique_ptr<Model>> Model::load(const std::string& path, const LoadOptions& options) {
  std::unique_ptr<Model> model(new Model());
  LoadedWeights loaded = TRY(load_weights(path, model->weights_, options));
  model->config_ = std::move(loaded.config);
  model->rope_ = rope_frequencies(model->config_.rope, loaded.rope_divisors);
  model->files_ = std::move(loaded.files);
  model->packed_ = std::move(loaded.packed);
  if (!options.adapter.empty()) {
    model->adapters_ = TRY(AdapterSet::load(options.adapter, model->config_, model->files_->format));
    model->adapters_.attach(model->config_, model->weights_);
  }
  if (loaded.expert_bytes > 0) {
    model->experts_ =
        TRY_IN("memory for weights", ExpertCache::create(model->config_, model->weights_, model->files_->tensors.files(),
                                                         loaded.expert_bytes, options.pack));
  }
  return model;
}

std::unique_ptr<Model> Model::create(ModelConfig config) {
  std::unique_ptr<Model> model(new Model());
  model->config_ = std::move(config);
  model->rope_ = rope_frequencies(model->config_.rope, {});
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
  Step step = make_step(config_, rope_, batch, cache, arena_, context);
  step.sink = sink;
  step.experts = experts_.get();
  return step;
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
