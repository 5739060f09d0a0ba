// Drafts without a model: what came after the longest earlier occurrence of the end of the text (Saxena 2023, "Prompt Lookup
// Decoding"). Good where an answer repeats its prompt or itself: code, quotations, summaries, tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/token_id.h"

namespace minke {

class PromptLookup {
 public:
  // Room for so many tokens, so that push() finds it; without, it grows.
  void reserve(size_t n_tokens);
  void push(TokenId token);
  void clear();

  // At most n_max tokens that may follow; none when the last kMinMatch tokens never came before. Of equally long matches the
  // latest counts. Where the occurrence runs into the end of the text, the draft goes on with its own beginning.
  void draft(std::vector<TokenId>& draft, int64_t n_max) const;

  static constexpr size_t kMinMatch = 3;      // shorter ones are mostly chance
  static constexpr size_t kMaxMatch = 64;     // longer ones are not told apart
  static constexpr int kMaxCandidates = 128;  // occurrences that are compared; bounds the time of a step

 private:
  void chain(size_t end);
  size_t match_length(size_t end) const;

  std::vector<TokenId> text_;
  // Occurrences of kMinMatch tokens are chained by a hash of them: the latest end, and before each end the one before it; 0:
  // none. Others may stand in the same chain; whoever walks it compares the tokens.
  std::vector<size_t> latest_end_;   // by the hash's low bits; a power of two, at least text_.size()
  std::vector<size_t> earlier_end_;  // [text_.size() + 1]
};

}  // namespace minke
