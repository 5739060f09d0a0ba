// Follows one text through a grammar, token by token, and says which tokens may come next.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "constrain/match/token_grammar.h"

namespace minke::constrain {

class Matcher {
 public:
  // So many of the last tokens can be taken back.
  static constexpr int64_t kMaxRollback = 256;

  explicit Matcher(std::shared_ptr<const TokenGrammar> grammar);
  Matcher(Matcher&&) = default;
  Matcher& operator=(Matcher&&) = default;

  // False, and nothing changes, when the token may not come here. An end token is accepted where is_complete().
  bool accept(TokenId token);
  // Bit id % 64 of word id / 64 is set for each token that may come next. None is set once an end token was accepted, or when
  // the vocabulary has no token for what must come, or the grammar is too ambiguous to follow. Valid until the next call.
  std::span<const uint64_t> mask();
  // The text matches as it is: end tokens are allowed.
  bool is_complete() const;
  // An end token was accepted.
  bool is_finished() const;

  int64_t n_accepted() const { return n_accepted_; }
  size_t store_bytes() const { return store_->n_bytes(); }
  // Takes the last n tokens back; n is at most max_rollback().
  void rollback(int64_t n);
  int64_t max_rollback() const { return static_cast<int64_t>(history_.size()) - 1; }
  // A matcher at the same place with a life of its own. It shares the grammar's masks.
  Matcher fork() const;

 private:
  Matcher() = default;
  SetId here() const { return history_.back(); }
  SetId after(TokenId token);
  void build_mask(std::span<uint64_t> words);
  void compact();

  std::shared_ptr<const TokenGrammar> grammar_;
  std::unique_ptr<FrameStore> store_;
  std::vector<SetId> history_;  // where each of the last tokens left the text; the last is now
  int64_t n_accepted_ = 0;
  size_t compact_at_bytes_ = 0;
  struct CachedMask {
    SetId set;
    std::vector<uint64_t> words;
  };
  std::vector<CachedMask> masks_;  // a ring
  size_t next_mask_ = 0;
};

}  // namespace minke::constrain
