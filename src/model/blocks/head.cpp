#include "model/blocks/head.h"

#include <algorithm>

#include "base/check.h"
#include "kernels/backward.h"
#include "kernels/elementwise.h"
#include "kernels/softmax.h"

namespace minke {

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

namespace {

constexpr int64_t kChunkBytes = 32 << 20;  // of logits
constexpr int64_t kLeastRows = 64;         // of a chunk: fewer would read lm_head too often

// Some rows of the batch that count, one after the other.
struct Chunk {
  int64_t n;
  int64_t* rows;     // [n], of the batch
  float* x;          // [n, hidden_size]
  float* logits;     // [n, vocab_size]
  int32_t* targets;  // [n]
  float* weights;    // [n]
  float* losses;     // [n]
};

void multiply_by(float* logits, float factor, int64_t n, const Context& context) {
  if (factor != 1.0f) scale(logits, logits, factor, n, context);
}

float inverse(double temperature) {
  CHECK(temperature > 0, "temperature {}", temperature);
  return static_cast<float>(1 / temperature);
}

// Before the temperature divides them.
void compute_logits(const Chunk& chunk, const Weight& lm_head, const Step& step) {
  matmul(chunk.logits, chunk.x, lm_head, chunk.n, step.context);
  multiply_by(chunk.logits, static_cast<float>(step.config.logits_multiplier), chunk.n * step.config.vocab_size, step.context);
}

// From the gradient by the logits over their temperature, which stands in their place.
void chunk_backward(float* d_normed, const Chunk& chunk, const Weight& lm_head, double temperature, const Step& step) {
  const int64_t size = chunk.n * step.config.vocab_size, dim = step.config.hidden_size;
  multiply_by(chunk.logits, inverse(temperature), size, step.context);
  multiply_by(chunk.logits, static_cast<float>(step.config.logits_multiplier), size, step.context);
  const Arena::Mark mark = step.arena.mark();
  float* d_x = zeros(chunk.n * dim, step);
  linear_backward(d_x, chunk.logits, chunk.x, lm_head, chunk.n, step);
  for (int64_t i = 0; i < chunk.n; i++) {
    float* row = d_normed + chunk.rows[i] * dim;
    add(row, row, d_x + i * dim, dim, {nullptr, step.context.isa});
  }
  step.arena.rewind(mark);
}

double chunk_loss(float* d_normed, const Chunk& chunk, const Weight& lm_head, double temperature, const Step& step) {
  const ModelConfig& c = step.config;
  const int64_t size = chunk.n * c.vocab_size;
  compute_logits(chunk, lm_head, step);
  multiply_by(chunk.logits, inverse(temperature), size, step.context);
  cross_entropy(chunk.losses, chunk.logits, chunk.targets, d_normed == nullptr ? nullptr : chunk.weights, chunk.n, c.vocab_size,
                step.context);
  double loss = 0;
  for (int64_t i = 0; i < chunk.n; i++) loss += double{chunk.weights[i]} * chunk.losses[i];
  if (d_normed == nullptr) return loss;
  chunk_backward(d_normed, chunk, lm_head, temperature, step);
  return loss;
}

// each(chunk) for the rows of `normed` that count, some at a time.
template <typename Each>
void for_chunks(const float* normed, const HeadTargets& targets, const Step& step, Each each) {
  const int64_t dim = step.config.hidden_size, vocab = step.config.vocab_size;
  const int64_t most = std::max(kLeastRows, kChunkBytes / (vocab * static_cast<int64_t>(sizeof(float))));
  const int64_t n_rows = std::min(most, step.n_tokens);
  const Arena::Mark mark = step.arena.mark();
  Arena& arena = step.arena;
  Chunk chunk = {0,
                 arena.allocate<int64_t>(n_rows),
                 arena.allocate<float>(n_rows * dim),
                 arena.allocate<float>(n_rows * vocab),
                 arena.allocate<int32_t>(n_rows),
                 arena.allocate<float>(n_rows),
                 arena.allocate<float>(n_rows)};
  for (int64_t t = 0; t < step.n_tokens; t++) {
    if (targets.weights[t] != 0.0f) {
      chunk.rows[chunk.n] = t;
      chunk.targets[chunk.n] = targets.tokens[t];
      chunk.weights[chunk.n] = targets.weights[t];
      std::copy_n(normed + t * dim, dim, chunk.x + chunk.n++ * dim);
    }
    if (chunk.n == 0 || (chunk.n < n_rows && t + 1 < step.n_tokens)) continue;
    each(chunk);
    chunk.n = 0;
  }
  arena.rewind(mark);
}

}  // namespace

double head_loss(float* d_normed, const float* normed, const Weight& lm_head, const HeadTargets& targets, const Step& step) {
  double loss = 0;
  for_chunks(normed, targets, step,
             [&](const Chunk& chunk) { loss += chunk_loss(d_normed, chunk, lm_head, targets.temperature, step); });
  return loss;
}

double head_divergence(float* d_normed, const float* normed, const Weight& lm_head, const HeadTargets& targets,
                       const HeadTeacher& teacher, const Step& step) {
  const int64_t vocab = step.config.vocab_size, teacher_dim = teacher.lm_head->n_cols;
  double loss = 0;
  int64_t n_done = 0;
  for_chunks(normed, targets, step, [&](const Chunk& chunk) {
    const Arena::Mark mark = step.arena.mark();
    const int64_t size = chunk.n * vocab;
    float* teacher_logits = step.arena.allocate<float>(size);
    matmul(teacher_logits, teacher.normed + n_done * teacher_dim, *teacher.lm_head, chunk.n, step.context);
    multiply_by(teacher_logits, static_cast<float>(teacher.logits_multiplier), size, step.context);
    multiply_by(teacher_logits, inverse(targets.temperature), size, step.context);
    compute_logits(chunk, lm_head, step);
    multiply_by(chunk.logits, inverse(targets.temperature), size, step.context);
    divergence(chunk.losses, chunk.logits, teacher_logits, chunk.weights, chunk.n, vocab, step.context);
    for (int64_t i = 0; i < chunk.n; i++) loss += double{chunk.weights[i]} * chunk.losses[i];
    chunk_backward(d_normed, chunk, lm_head, targets.temperature, step);
    n_done += chunk.n;
    step.arena.rewind(mark);
  });
  return loss;
}

TokenLogprobs head_logprobs(const float* normed, const Weight& lm_head, const HeadTargets& targets, const Step& step) {
  TokenLogprobs out;
  for_chunks(normed, targets, step, [&](const Chunk& chunk) {
    const size_t first = out.logprobs.size(), n = first + static_cast<size_t>(chunk.n);
    out.logprobs.resize(n);
    out.entropies.resize(n);
    compute_logits(chunk, lm_head, step);
    logprobs_of(out.logprobs.data() + first, out.entropies.data() + first, chunk.logits, chunk.targets, targets.temperature,
                chunk.n, step.config.vocab_size, step.context);
  });
  return out;
}

void logprobs_of(float* logprobs, float* entropies, float* logits, const int32_t* tokens, double temperature, int64_t n_rows,
                 int64_t vocab_size, const Context& context) {
  multiply_by(logits, inverse(temperature), n_rows * vocab_size, context);
  cross_entropy(logprobs, logits, tokens, nullptr, n_rows, vocab_size, context);
  for (int64_t i = 0; i < n_rows; i++) logprobs[i] = -logprobs[i];
  if (entropies == nullptr) return;
  entropy(entropies, logits, n_rows, vocab_size, context);
}

}  // namespace minke
