// Drafts by a model's own module of multi-token prediction: from the hidden state of a position and the token after it, the
// token after that. For more than one token the module is fed with its own hidden state and draft (DeepSeek-V3 paper,
// section 2.2, for one; the chain is what serving programs do, and its later tokens are right less often).
//
// The module has a layer in the KV cache, in the pages of the main model's sequence. Its rows may lag behind: hidden states
// wait here until somebody asks for a draft, so that a generator which does not draft pays for keeping them only.
#pragma once

#include <span>
#include <vector>

#include "base/context.h"
#include "model/model.h"

namespace minke {

class MtpDrafter {
 public:
  // n_valid_tokens: ids from there on are never drafted.
  MtpDrafter(Model& model, KvCache& cache, const Context& context, int64_t n_valid_tokens);

  // Forgets positions from n_tokens on.
  void truncate(int64_t n_tokens);
  // The hidden states of the next positions, as Batch::hidden gives them.
  void add(std::span<const float> hidden);
  // Runs the module on the positions whose next token is known, but for the last n_left of them. `text` is what `sequence`
  // holds, and may be one token longer.
  Status catch_up(std::span<const TokenId> text, const SequenceCache& sequence, int64_t n_left);
  // draft: n tokens that may follow `text`, whose last token is not in the cache yet. Makes room for them in `sequence`.
  Status draft(std::vector<TokenId>& draft, std::span<const TokenId> text, SequenceCache& sequence, int64_t n);

  int64_t n_waiting() const { return static_cast<int64_t>(waiting_.size()) / model_.config().hidden_size; }

 private:
  // One call of the module: the next n_rows positions, tokens[i] following position i. Logits of the last row if asked for.
  Status run(std::span<const TokenId> tokens, std::span<const float> hidden, bool wants_logits);

  Model& model_;
  KvCache& cache_;
  Context context_;
  int64_t n_valid_tokens_;
  SequenceCache place_;  // n_tokens: rows of the module; the pages are the main model's
  Batch batch_;
  std::vector<float> waiting_;  // [n_waiting, hidden_size], positions from place_.n_tokens on
  std::vector<float> logits_;   // [vocab_size] of the last row
  std::vector<float> hidden_;   // [n_rows, hidden_size] after the module
  std::vector<float> last_;     // its last row, while the next call writes hidden_
};

}  // namespace minke
