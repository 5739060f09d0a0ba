// From the last normalised hidden states to logits, and for training to the cross entropy, in chunks of rows so that logits of
// all tokens never exist together.
#pragma once

#include <span>
#include <vector>

#include "model/blocks/step.h"

namespace minke {

// logits [n_rows, vocab_size] of the chosen rows of `normed` [n_tokens, hidden_size].
void run_head(std::vector<float>& logits, const float* normed, const Weight& lm_head, const Step& step);

// ln of a token's share in the softmax of logits [vocab_size] / temperature (0: as 1), to the bit as head_loss has it.
float token_logprob(std::span<const float> logits, int32_t token, double temperature, Isa isa);

// Per row of `normed`: the token that should come next and the share of its cross entropy in the loss. Rows of weight 0 are
// not computed.
struct HeadTargets {
  const int32_t* tokens;  // [n_tokens]
  const float* weights;   // [n_tokens]
};

// The sum over rows of weight * cross entropy. d_normed [n_tokens, hidden_size] += the gradient and lm_head's grows; null: the
// loss alone.
double head_loss(float* d_normed, const float* normed, const Weight& lm_head, const HeadTargets& targets, const Step& step);

}  // namespace minke
