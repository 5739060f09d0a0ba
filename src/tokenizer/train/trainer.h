// Trains a byte-level BPE tokenizer: texts are cut into pieces as when encoding, equal pieces are counted once, and the most
// frequent pair of neighbouring tokens becomes a token until the vocabulary is full. Source: Sennrich, Haddow, Birch 2016; ids
// and ties as in huggingface/tokenizers' BpeTrainer, so that both learn the same merges: ids are special tokens in the given
// order, the 256 bytes in the order of the GPT-2 alphabet's code points, then merges in order; of pairs that are equally
// frequent the one with the smaller left id is merged first, then the smaller right id. Hence the result depends on the texts
// and options alone, not on their order.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "tokenizer/spec.h"

namespace minke {

struct TokenizerTrainingOptions {
  int64_t vocab_size = 0;            // special tokens and bytes included
  std::string pre = "deepseek-v3";   // a name of pre_tokenizer_table()
  std::vector<std::string> special;  // their ids are 0, 1, ... A learned token is never spelled like one
  std::optional<std::string> bos;    // put before texts. Roles that `special` does not name go before it, in this order
  std::optional<std::string> eos;
  std::optional<std::string> pad;
  std::string chat_template;
};

class TokenizerTrainer {
 public:
  static Result<TokenizerTrainer> create(const TokenizerTrainingOptions& options);
  TokenizerTrainer(TokenizerTrainer&&) noexcept;
  TokenizerTrainer& operator=(TokenizerTrainer&&) noexcept;
  ~TokenizerTrainer();

  // Counts the pieces of a text, which is UTF-8. Special tokens spelled in it are text.
  Status add(std::string_view text);
  int64_t n_pieces() const;
  int64_t n_different_pieces() const;

  // The tokenizer. An error when the texts have too few pairs that occur twice. on_token(n, vocab_size) is called for each new
  // token and says whether to go on; when not, the error is "stopped".
  Result<TokenizerSpec> finish(const std::function<bool(int64_t, int64_t)>& on_token);

 private:
  struct State;
  explicit TokenizerTrainer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace minke
