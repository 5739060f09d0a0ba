// Multi-token prediction (DeepSeek-V3 paper, section 2.2): what goes into a module's layer. At position i it joins the
// hidden state of position i with the token at i + 1:
//   h'_i = eh_proj [rms_norm(E[t_{i+1}], embedding_norm); rms_norm(h_i, hidden_norm)]
// The published weights take the embedding first (the paper's formula has it second), and h_i after the final norm.
#pragma once

#include "model/blocks/step.h"

namespace minke {

// out [n_tokens, hidden_size]; embedded [n_tokens, hidden_size]: rows of the tokens at i + 1; hidden [n_tokens, hidden_size].
void mtp_join(float* out, const float* embedded, const float* hidden, const MtpWeights& w, const Step& step);

// d_embedded, d_hidden += the gradients.
void mtp_join_backward(float* d_embedded, float* d_hidden, const float* d_out, const float* embedded, const float* hidden,
                       const MtpWeights& w, const Step& step);

}  // namespace minke
