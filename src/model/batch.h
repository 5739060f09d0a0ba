// What one forward call works on: new tokens of several sequences, one after the other.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "base/token_id.h"
#include "kernels/matmul.h"
#include "model/kv_cache.h"

namespace minke {

// The two forms of MLA, equal in exact arithmetic (DeepSeek-V2 paper, appendix C). Naive expands keys and values from the
// latent, best when many queries share them; absorbed works on the latent itself, best for one query. Models without MLA
// have one form and ignore this.
enum class MlaForm { kNaive, kAbsorbed };

struct BatchSequence {
  SequenceCache* cache = nullptr;  // grows by n_tokens
  int64_t n_tokens = 0;            // new ones in this call; the first has position cache->n_tokens
  MlaForm form = MlaForm::kNaive;
};

struct Batch {
  std::vector<TokenId> tokens;  // [n_tokens], sequence after sequence
  std::vector<BatchSequence> sequences;
  std::vector<int64_t> logit_rows;  // which tokens (indices into `tokens`) get logits
  std::vector<float>* hidden =
      nullptr;  // if not null, receives the hidden states after the final norm, [n_tokens, hidden_size]
};

// Receives named activations: [n_rows, dim] f32, or the router's choices as [n_rows, dim] i32.
struct ActivationSink {
  std::function<void(std::string_view name, const float* values, int64_t n_rows, int64_t dim)> floats;
  std::function<void(std::string_view name, const int32_t* values, int64_t n_rows, int64_t dim)> integers;
  // Every product of a weight of the model with [n_tokens, w.n_cols] activations, before it is computed. Row t is x row
  // token_rows[t], t itself when null.
  std::function<void(const Weight& w, ConstRows x, int64_t n_tokens, const int32_t* token_rows)> product;
};

}  // namespace minke
