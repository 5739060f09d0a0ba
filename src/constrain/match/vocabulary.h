// The tokens of a tokenizer as a tree of their bytes, in the order of a walk through it: a matcher that cannot read a byte
// skips all tokens that go on with it in one step. Immutable, shared by all grammars of a model.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/token_id.h"
#include "tokenizer/tokenizer.h"

namespace minke::constrain {

struct VocabularyToken {
  std::string bytes;     // what the token adds to the text
  bool is_text = false;  // false: a control token, which stands for no text
};

class Vocabulary {
 public:
  // more_eos: tokens that end a text beside the tokenizer's own.
  static Result<std::shared_ptr<const Vocabulary>> from_tokenizer(const Tokenizer& tokenizer,
                                                                  std::span<const TokenId> more_eos = {});
  // eos: the tokens that end a text. Tokens without bytes are never allowed as text.
  static Result<std::shared_ptr<const Vocabulary>> create(std::vector<VocabularyToken> tokens, std::vector<TokenId> eos);

  TokenId n_tokens() const { return static_cast<TokenId>(tokens_.size()); }
  size_t n_mask_words() const { return (tokens_.size() + 63) / 64; }
  bool is_text(TokenId id) const { return tokens_[static_cast<size_t>(id)].is_text; }
  const std::string& bytes(TokenId id) const { return tokens_[static_cast<size_t>(id)].bytes; }
  const std::vector<TokenId>& eos() const { return eos_; }
  // The token that is spelled like this, for markers: a tool call's opening is one token in one model and plain text in
  // another.
  std::optional<TokenId> control_token(std::string_view text) const;
  // A bit for each token that adds to the text.
  const std::vector<uint64_t>& text_mask() const { return text_mask_; }
  size_t max_token_bytes() const { return max_token_bytes_; }

  // A node is the bytes on the way to it. Nodes are in the order of a walk (a node before its children, children by byte), so
  // what is below node i is i + 1 .. end - 1. Node 0 is the empty text.
  struct TreeNode {
    uint32_t end = 0;
    uint32_t first_token = 0;  // into tree_tokens(), up to that of the next node
    uint32_t depth = 0;
    uint8_t byte = 0;  // the last one
  };
  std::span<const TreeNode> tree() const { return std::span(tree_).first(tree_.size() - 1); }
  std::span<const TokenId> tokens_at(uint32_t node) const {
    return std::span(tree_tokens_).subspan(tree_[node].first_token, tree_[node + 1].first_token - tree_[node].first_token);
  }

 private:
  static Result<std::shared_ptr<Vocabulary>> make(std::vector<VocabularyToken> tokens, std::vector<TokenId> eos);
  Status build_tree();

  std::vector<VocabularyToken> tokens_;
  std::vector<std::string> control_texts_;  // by id, as spelled in the tokenizer's file; empty for text
  std::vector<TokenId> eos_;
  std::vector<TreeNode> tree_;        // and one more that ends the tokens of the last
  std::vector<TokenId> tree_tokens_;  // in the order of the tree
  std::vector<uint64_t> text_mask_;
  size_t max_token_bytes_ = 0;
};

}  // namespace minke::constrain
