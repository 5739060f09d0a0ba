// Rows of the embedding table, times the multiplier that some models have.
#pragma once

#include "model/blocks/step.h"

namespace minke {

// hidden [n_tokens, hidden_size] of the batch's tokens.
void embed(float* hidden, const Weight& embedding, const Step& step);
// The table's gradient grows by d_hidden, token after token.
void embed_backward(const float* d_hidden, const Weight& embedding, const Step& step);

}  // namespace minke
