// From the last normalised hidden states to logits, and for training to the cross entropy or to log-probs, in chunks of rows so
// that logits of all tokens never exist together.
#pragma once

#include <span>
#include <vector>

#include "model/blocks/step.h"

namespace minke {

// logits [n_rows, vocab_size] of the chosen rows of `normed` [n_tokens, hidden_size].
void run_head(std::vector<float>& logits, const float* normed, const Weight& lm_head, const Step& step);

// Per row of `normed`: the token that should come next and the share of its cross entropy in the loss. Rows of weight 0 are
// not computed. The distribution is softmax(logits / temperature).
struct HeadTargets {
  const int32_t* tokens;  // [n_tokens]
  const float* weights;   // [n_tokens]
  double temperature = 1;
};

// The sum over rows of weight * cross entropy. d_normed [n_tokens, hidden_size] += the gradient and lm_head's grows; null: the
// loss alone. Any loss of log-probs has this backward pass: its weights are -d loss / d log-prob.
double head_loss(float* d_normed, const float* normed, const Weight& lm_head, const HeadTargets& targets, const Step& step);

// Another model of the same vocabulary: its last normalised hidden states of the rows whose weight is not 0, one after the other
// [n, its hidden_size], and what makes logits of them.
struct HeadTeacher {
  const float* normed;
  const Weight* lm_head;
  double logits_multiplier = 1;
};

// The sum over rows of weight * KL(softmax(logits / temperature) || that of the teacher), over the whole vocabulary; gradients as
// those of head_loss. The targets' tokens are not read.
double head_divergence(float* d_normed, const float* normed, const Weight& lm_head, const HeadTargets& targets,
                       const HeadTeacher& teacher, const Step& step);

// Of some tokens, one after the other.
struct TokenLogprobs {
  std::vector<float> logprobs;   // [n] ln softmax(logits / temperature)[token]
  std::vector<float> entropies;  // [n] of the same distribution, in nats
};

// Of the targets whose weight is not 0, in their order.
TokenLogprobs head_logprobs(const float* normed, const Weight& lm_head, const HeadTargets& targets, const Step& step);

// The same from logits [n_rows, vocab_size], which are divided by the temperature in place; entropies may be null.
// head_logprobs is this: whoever samples from the same logits gets the same bits.
void logprobs_of(float* logprobs, float* entropies, float* logits, const int32_t* tokens, double temperature, int64_t n_rows,
                 int64_t vocab_size, const Context& context);

}  // namespace minke
