#include "model/training/training_pass.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "kernels/backward.h"
#include "kernels/elementwise.h"
#include "kernels/norm.h"
#include "model/blocks/embedding.h"
#include "model/blocks/layer.h"
#include "model/blocks/mtp.h"

namespace minke {
namespace {

// What the module of multi-token prediction sees: of every piece of at least two tokens, all but the last.
struct MtpRows {
  std::vector<int64_t> from;  // [n]: the token of the batch whose hidden state a row has; its token is the next one
  std::vector<TokenId> tokens;
  std::vector<TokenId> targets;
  std::vector<float> weights;
  std::vector<int64_t> piece_lengths, row_lengths;
};

MtpRows mtp_rows(const TrainingRows& rows, double weight_factor) {
  MtpRows out;
  size_t piece = 0;
  int64_t first = 0;
  for (int64_t row_length : rows.row_lengths) {
    int64_t n_row = 0;
    for (const int64_t end = first + row_length; first < end; first += rows.piece_lengths[piece++]) {
      const int64_t n = rows.piece_lengths[piece] - 1;
      if (n == 0) continue;
      out.piece_lengths.push_back(n);
      n_row += n;
      for (int64_t i = first; i < first + n; i++) {
        const auto next = static_cast<size_t>(i + 1);
        out.from.push_back(i);
        out.tokens.push_back(rows.tokens[next]);
        out.targets.push_back(rows.targets[next]);
        out.weights.push_back(static_cast<float>(rows.weights[next] * weight_factor));
      }
    }
    out.row_lengths.push_back(n_row);
  }
  return out;
}

}  // namespace

double mean_mtp_factor(const TrainingRows& rows) {
  const MtpRows mtp = mtp_rows(rows, 1);
  const double weight = std::accumulate(mtp.weights.begin(), mtp.weights.end(), 0.0);
  return weight > 0 ? std::accumulate(rows.weights.begin(), rows.weights.end(), 0.0) / weight : 1.0;
}

void update_router_biases(ModelWeights& weights, const ExpertTokens& tokens, double speed) {
  if (speed == 0) return;
  const size_t n_layers = weights.layers.size();
  for (size_t layer = 0; layer < tokens.size(); layer++) {
    if (tokens[layer].empty()) continue;
    Vector& bias =
        layer < n_layers ? weights.layers[layer].moe.router_bias : weights.mtp[layer - n_layers].layer.moe.router_bias;
    const double mean = static_cast<double>(std::accumulate(tokens[layer].begin(), tokens[layer].end(), int64_t{0})) /
                        static_cast<double>(tokens[layer].size());
    for (size_t e = 0; e < bias.size(); e++) {
      const double missing = mean - static_cast<double>(tokens[layer][e]);
      bias[e] += static_cast<float>(missing > 0 ? speed : missing < 0 ? -speed : 0.0);
    }
  }
}

Result<TrainingPass> TrainingPass::create(const Model& model) {
  const ModelConfig& c = model.config();
  if (c.n_mtp_layers > 1) {
    return error("the model has {} modules of multi-token prediction; training supports one", c.n_mtp_layers);
  }
  if (model.experts() != nullptr) return error("the model's experts are on disk; training needs all weights in memory");
  for (const LayerWeights& layer : model.weights().layers) {
    const AttentionWeights& a = layer.attention;
    if (a.o_proj.weight.is_packed)
      return error("the model's weights are packed for inference; load it without packing to train");
    if (c.attention == AttentionKind::kMla && a.up.kv_b_proj.data == nullptr) {
      return error(
          "the model holds kv_b_proj in two parts (a GGUF layout); training needs one matrix: convert it to the Hugging Face "
          "layout first (minke convert)");
    }
  }
  return TrainingPass(model);
}

TrainingPass::TrainingPass(const Model& model)
    : model_(&model),
      arena_(std::make_unique<Arena>()),
      mtp_arena_(std::make_unique<Arena>()),
      saved_memory_(std::make_unique<Arena>()),
      layer_memory_(std::make_unique<Arena>()),
      saved_(static_cast<size_t>(model.config().n_layers + model.config().n_mtp_layers)),
      expert_tokens_(saved_.size()) {
  reset_expert_tokens();
}

void TrainingPass::reset_expert_tokens() {
  const ModelConfig& c = model_->config();
  for (size_t layer = 0; layer < expert_tokens_.size(); layer++) {
    if (c.is_moe_layer(static_cast<int64_t>(layer))) {
      expert_tokens_[layer].assign(static_cast<size_t>(c.moe.n_routed_experts), 0);
    }
  }
}

Status TrainingPass::check(const TrainingRows& rows) const {
  const auto n = static_cast<int64_t>(rows.tokens.size());
  const auto sum = [](const std::vector<int64_t>& lengths) {
    return std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
  };
  CHECK(n > 0 && rows.targets.size() == rows.tokens.size() && rows.weights.size() == rows.tokens.size(),
        "{} tokens, {} targets, {} weights", n, rows.targets.size(), rows.weights.size());
  CHECK(sum(rows.piece_lengths) == n && sum(rows.row_lengths) == n, "{} tokens, {} in pieces, {} in rows", n,
        sum(rows.piece_lengths), sum(rows.row_lengths));
  const int64_t vocab = model_->config().vocab_size;
  for (int64_t length : rows.piece_lengths) {
    CHECK(length > 0, "a piece of {} tokens", length);
    if (length > model_->config().max_seq_len) {
      return error("a piece of {} tokens is longer than the model's context of {}", length, model_->config().max_seq_len);
    }
  }
  for (size_t i = 0; i < rows.tokens.size(); i++) {
    const TokenId bad = rows.tokens[i] < 0 || rows.tokens[i] >= vocab ? rows.tokens[i] : rows.targets[i];
    if (rows.weights[i] == 0.0f && bad == rows.targets[i]) continue;
    if (bad < 0 || bad >= vocab) return error("token {} at {}: the model's vocabulary is 0 to {}", bad, i, vocab - 1);
  }
  return {};
}

// Pieces as sequences that begin here, with room in the cache.
Result<Batch> TrainingPass::make_batch(const TrainingRows& rows) {
  const size_t n_pieces = rows.piece_lengths.size();
  // A piece fills its last page in part, so each may need one more.
  const int64_t needed = static_cast<int64_t>(rows.tokens.size() + n_pieces * kPageSize);
  if (cache_ == nullptr || cache_->capacity_tokens() < needed) {
    sequences_.clear();
    cache_ = std::make_unique<KvCache>(model_->config(), needed, DType::kF32, MlaCache::kHeads);
  }
  for (SequenceCache& sequence : sequences_) cache_->truncate(sequence, 0);
  sequences_.resize(std::max(sequences_.size(), n_pieces));
  Batch batch;
  batch.tokens = rows.tokens;
  for (size_t i = 0; i < n_pieces; i++) {
    TRY(cache_->reserve(sequences_[i], rows.piece_lengths[i]));
    batch.sequences.push_back({&sequences_[i], rows.piece_lengths[i], MlaForm::kNaive});
  }
  return batch;
}

const LayerWeights& TrainingPass::layer_weights(int64_t layer) const {
  const ModelWeights& w = model_->weights();
  const int64_t n_layers = model_->config().n_layers;
  return layer < n_layers ? w.layers[static_cast<size_t>(layer)] : w.mtp[static_cast<size_t>(layer - n_layers)].layer;
}

void TrainingPass::run_layers(float* hidden, Step& step, const LossOptions& options, bool wants_gradients) {
  const int64_t size = step.n_tokens * step.config.hidden_size;
  for (int64_t layer = 0; layer < step.config.n_layers; layer++) {
    SavedLayer& saved = saved_[static_cast<size_t>(layer)];
    saved = {};
    saved.memory = saved_memory_.get();
    if (wants_gradients && options.recompute) {
      saved.input = saved_memory_->allocate<float>(size);
      std::copy_n(hidden, size, saved.input);
    }
    step.saved = wants_gradients && !options.recompute ? &saved : nullptr;
    run_layer(hidden, layer_weights(layer), nullptr, layer, step);
  }
}

void TrainingPass::layer_backward(float* d_hidden, int64_t layer, Step& step, bool recompute, LossParts& parts) {
  SavedLayer again;
  step.saved = &saved_[static_cast<size_t>(layer)];
  if (recompute) {
    const int64_t size = step.n_tokens * step.config.hidden_size;
    layer_memory_->reset();
    again.memory = layer_memory_.get();
    float* hidden = layer_memory_->allocate<float>(size);
    std::copy_n(step.saved->input, size, hidden);
    step.saved = &again;
    run_layer(hidden, layer_weights(layer), nullptr, layer, step);
  }
  run_layer_backward(d_hidden, layer_weights(layer), layer, step);
  std::vector<int64_t>& counts = expert_tokens_[static_cast<size_t>(layer)];
  if (counts.empty()) return;
  const SavedMoe& moe = step.saved->moe;
  parts.balance += moe.balance;
  for (size_t e = 0; e < counts.size(); e++) counts[e] += moe.grouping.offsets[e + 1] - moe.grouping.offsets[e];
}

void TrainingPass::run_layers_backward(float* d_hidden, Step& step, const LossOptions& options, LossParts& parts) {
  for (int64_t layer = step.config.n_layers - 1; layer >= 0; layer--) {
    layer_backward(d_hidden, layer, step, options.recompute, parts);
  }
}

// d_normed [n_tokens, hidden_size] += the gradient by the main model's normalised hidden states.
Result<double> TrainingPass::run_mtp(float* d_normed, const float* normed, const TrainingRows& rows, const LossOptions& options,
                                     const Context& context, bool wants_gradients, LossParts& parts) {
  const ModelConfig& c = model_->config();
  const MtpWeights& w = model_->weights().mtp[0];
  MtpRows mtp = mtp_rows(rows, options.mtp_weight_factor);
  if (mtp.tokens.empty()) return 0.0;
  // Pieces of one token have no row here; the others keep the pages that they have.
  Batch batch;
  batch.tokens = std::move(mtp.tokens);
  for (size_t piece = 0, used = 0; piece < rows.piece_lengths.size(); piece++) {
    if (rows.piece_lengths[piece] < 2) continue;
    batch.sequences.push_back({&sequences_[piece], mtp.piece_lengths[used++], MlaForm::kNaive});
  }
  Step step = make_step(c, model_->rope(), batch, *cache_, *mtp_arena_, context);
  step.balance = {mtp.row_lengths, static_cast<float>(options.balance_alpha / static_cast<double>(options.n_rows))};
  const int64_t n = step.n_tokens, dim = c.hidden_size, layer = c.n_layers;
  const float eps = static_cast<float>(c.rms_norm_eps);
  float* embedded = mtp_arena_->allocate<float>(n * dim);
  float* before = mtp_arena_->allocate<float>(n * dim);  // the main model's hidden states of these rows
  float* state = mtp_arena_->allocate<float>(n * dim);
  embed(embedded, w.embedding, step);
  for (int64_t i = 0; i < n; i++) std::copy_n(normed + mtp.from[static_cast<size_t>(i)] * dim, dim, before + i * dim);
  mtp_join(state, embedded, before, w, step);
  SavedLayer& saved = saved_[static_cast<size_t>(layer)];
  saved = {};
  saved.memory = saved_memory_.get();
  step.saved = wants_gradients ? &saved : nullptr;
  run_layer(state, w.layer, nullptr, layer, step);
  float* last = mtp_arena_->allocate<float>(n * dim);
  rms_norm(last, state, w.final_norm.data(), n, dim, eps, context);
  if (!wants_gradients) return head_loss(nullptr, last, w.lm_head, {mtp.targets.data(), mtp.weights.data()}, step);

  for (float& weight : mtp.weights) weight = static_cast<float>(weight * options.mtp_lambda);
  float* d_last = zeros(n * dim, step);
  const double loss = head_loss(d_last, last, w.lm_head, {mtp.targets.data(), mtp.weights.data()}, step);
  float* d_state = zeros(n * dim, step);
  rms_norm_backward({d_state, dim}, w.final_norm.gradient, {d_last, dim}, {state, dim}, w.final_norm.data(), n, dim, eps,
                    context);
  layer_backward(d_state, layer, step, false, parts);
  float* d_embedded = zeros(n * dim, step);
  float* d_before = zeros(n * dim, step);
  mtp_join_backward(d_embedded, d_before, d_state, embedded, before, w, step);
  embed_backward(d_embedded, w.embedding, step);
  for (int64_t i = 0; i < n; i++) {
    float* row = d_normed + mtp.from[static_cast<size_t>(i)] * dim;
    add(row, row, d_before + i * dim, dim, {nullptr, context.isa});
  }
  return options.mtp_lambda == 0 ? 0 : loss / options.mtp_lambda;
}

Result<LossParts> TrainingPass::run(const TrainingRows& rows, const Head& head, const LossOptions& options,
                                    const Context& context, bool wants_gradients) {
  const ModelConfig& c = model_->config();
  const ModelWeights& w = model_->weights();
  TRY(check(rows));
  saved_memory_->reset();
  const Batch batch = TRY(make_batch(rows));
  Step step = make_step(c, model_->rope(), batch, *cache_, *arena_, context);
  step.balance = {rows.row_lengths, static_cast<float>(options.balance_alpha / static_cast<double>(options.n_rows))};
  const int64_t n = step.n_tokens, dim = c.hidden_size;
  const float eps = static_cast<float>(c.rms_norm_eps);
  float* hidden = arena_->allocate<float>(n * dim);  // [n_tokens, hidden_size]
  embed(hidden, w.embedding, step);
  run_layers(hidden, step, options, wants_gradients);
  float* normed = arena_->allocate<float>(n * dim);
  rms_norm(normed, hidden, w.final_norm.data(), n, dim, eps, context);

  LossParts parts;
  float* d_normed = wants_gradients ? zeros(n * dim, step) : nullptr;
  const bool has_mtp = c.n_mtp_layers > 0 && options.mtp_lambda != 0;
  parts.cross_entropy = TRY(head(d_normed, normed, step));
  if (has_mtp) parts.mtp = TRY(run_mtp(d_normed, normed, rows, options, context, wants_gradients, parts));
  if (wants_gradients) {
    float* d_hidden = zeros(n * dim, step);
    rms_norm_backward({d_hidden, dim}, w.final_norm.gradient, {d_normed, dim}, {hidden, dim}, w.final_norm.data(), n, dim, eps,
                      context);
    run_layers_backward(d_hidden, step, options, parts);
    embed_backward(d_hidden, w.embedding, step);
  }
  parts.balance /= static_cast<double>(options.n_rows);
  parts.total = parts.cross_entropy + options.balance_alpha * parts.balance + options.mtp_lambda * parts.mtp;
  return parts;
}

TrainingPass::Head TrainingPass::cross_entropy_head(const TrainingRows& rows) const {
  return [this, &rows](float* d_normed, const float* normed, const Step& step) -> Result<double> {
    return head_loss(d_normed, normed, model_->weights().lm_head, {rows.targets.data(), rows.weights.data()}, step);
  };
}

Result<LossParts> TrainingPass::run(const TrainingRows& rows, const LossOptions& options, const Context& context) {
  return run(rows, cross_entropy_head(rows), options, context, true);
}

Result<LossParts> TrainingPass::evaluate(const TrainingRows& rows, const LossOptions& options, const Context& context) {
  return run(rows, cross_entropy_head(rows), options, context, false);
}

// The logits are computed twice, before and after the loss: a loss may need the log-probs of a whole sequence before it knows
// the gradient of its first token. Tokens without a gradient are left out of the second time.
Result<LossParts> TrainingPass::run(const TrainingRows& rows, const LogprobObjective& objective, const LossOptions& options,
                                    const Context& context) {
  const Head head = [&](float* d_normed, const float* normed, const Step& step) -> Result<double> {
    const Weight& lm_head = model_->weights().lm_head;
    const TokenLogprobs now =
        head_logprobs(normed, lm_head, {rows.targets.data(), rows.weights.data(), objective.temperature}, step);
    std::vector<float> d_logprobs(now.logprobs.size());
    const double loss = TRY(objective.loss(d_logprobs, now));
    std::vector<float> weights(rows.weights.size());
    for (size_t i = 0, counted = 0; i < weights.size(); i++) {
      if (rows.weights[i] != 0.0f) weights[i] = -d_logprobs[counted++];
    }
    head_loss(d_normed, normed, lm_head, {rows.targets.data(), weights.data(), objective.temperature}, step);
    return loss;
  };
  return run(rows, head, options, context, true);
}

Result<LossParts> TrainingPass::run(const TrainingRows& rows, const Teaching& teaching, const LossOptions& options,
                                    const Context& context) {
  const ModelConfig& c = teaching.teacher->config();
  const auto n_counted = static_cast<int64_t>(rows.weights.size()) - std::ranges::count(rows.weights, 0.0f);
  CHECK(c.vocab_size == model_->config().vocab_size, "a teacher of {} tokens for {}", c.vocab_size, model_->config().vocab_size);
  CHECK(std::ssize(teaching.states) == n_counted * c.hidden_size, "{} states of {} tokens, each of {}", teaching.states.size(),
        n_counted, c.hidden_size);
  const HeadTeacher teacher = {teaching.states.data(), &teaching.teacher->weights().lm_head, c.logits_multiplier};
  const Head head = [&](float* d_normed, const float* normed, const Step& step) -> Result<double> {
    const HeadTargets targets = {rows.targets.data(), rows.weights.data(), teaching.temperature};
    return head_divergence(d_normed, normed, model_->weights().lm_head, targets, teacher, step);
  };
  return run(rows, head, options, context, true);
}

Result<std::vector<float>> TrainingPass::states(const TrainingRows& rows, const Context& context) {
  std::vector<float> out;
  const Head head = [&](float*, const float* normed, const Step& step) -> Result<double> {
    for (size_t i = 0; i < rows.weights.size(); i++) {
      if (rows.weights[i] == 0.0f) continue;
      const float* row = normed + static_cast<int64_t>(i) * step.config.hidden_size;
      out.insert(out.end(), row, row + step.config.hidden_size);
    }
    return 0.0;
  };
  TRY(run(rows, head, {}, context, false));
  return out;
}

Result<TokenLogprobs> TrainingPass::logprobs(const TrainingRows& rows, double temperature, const Context& context) {
  TokenLogprobs out;
  const Head head = [&](float*, const float* normed, const Step& step) -> Result<double> {
    out = head_logprobs(normed, model_->weights().lm_head, {rows.targets.data(), rows.weights.data(), temperature}, step);
    return 0.0;
  };
  TRY(run(rows, head, {}, context, false));
  return out;
}

}  // namespace minke
