#include "constrain/match/vocabulary.h"

#include <algorithm>

#include "tokenizer/bpe/added_tokens.h"
#include "tokenizer/spec.h"

namespace minke::constrain {

Result<std::shared_ptr<const Vocabulary>> Vocabulary::from_tokenizer(const Tokenizer& tokenizer,
                                                                     std::span<const TokenId> more_eos) {
  const TokenizerSpec& spec = tokenizer.spec();
  std::vector<VocabularyToken> tokens(static_cast<size_t>(tokenizer.vocab_size()));
  for (TokenId id = 0; id < tokenizer.vocab_size(); id++) {
    TokenKind kind = static_cast<size_t>(id) < spec.kinds.size() ? spec.kinds[static_cast<size_t>(id)] : TokenKind::kUnused;
    bool has_text = kind == TokenKind::kNormal || kind == TokenKind::kUserDefined || kind == TokenKind::kByte;
    VocabularyToken& token = tokens[static_cast<size_t>(id)];
    token.is_text = has_text && !tokenizer.is_special(id);
    if (token.is_text) token.bytes = std::string(tokenizer.token_bytes(id));
  }
  for (const AddedToken& added : spec.added) {
    if (!is_markup(added)) continue;
    tokens[static_cast<size_t>(added.id)] = {};
  }
  std::vector<TokenId> eos = tokenizer.eos_ids();
  for (TokenId id : more_eos) {
    if (std::find(eos.begin(), eos.end(), id) == eos.end()) eos.push_back(id);
  }
  auto vocabulary = TRY(make(std::move(tokens), std::move(eos)));
  vocabulary->control_texts_.resize(vocabulary->tokens_.size());
  for (TokenId id = 0; id < vocabulary->n_tokens(); id++) {
    if (!vocabulary->is_text(id)) vocabulary->control_texts_[static_cast<size_t>(id)] = tokenizer.token_text(id);
  }
  return vocabulary;
}

Result<std::shared_ptr<const Vocabulary>> Vocabulary::create(std::vector<VocabularyToken> tokens, std::vector<TokenId> eos) {
  return TRY(make(std::move(tokens), std::move(eos)));
}

Result<std::shared_ptr<Vocabulary>> Vocabulary::make(std::vector<VocabularyToken> tokens, std::vector<TokenId> eos) {
  auto vocabulary = std::make_shared<Vocabulary>();
  vocabulary->tokens_ = std::move(tokens);
  for (TokenId id : eos) {
    if (id < 0 || id >= vocabulary->n_tokens()) {
      return error("end token {} of a vocabulary of {} tokens", id, vocabulary->n_tokens());
    }
    vocabulary->tokens_[static_cast<size_t>(id)] = {};
  }
  vocabulary->eos_ = std::move(eos);
  TRY(vocabulary->build_tree());
  return vocabulary;
}

std::optional<TokenId> Vocabulary::control_token(std::string_view text) const {
  for (size_t id = 0; id < control_texts_.size(); id++) {
    if (!text.empty() && control_texts_[id] == text) return static_cast<TokenId>(id);
  }
  return std::nullopt;
}

Status Vocabulary::build_tree() {
  std::vector<TokenId> order;
  size_t n_bytes = 0;
  text_mask_.resize(n_mask_words());
  for (TokenId id = 0; id < n_tokens(); id++) {
    if (!is_text(id) || bytes(id).empty()) continue;
    order.push_back(id);
    text_mask_[static_cast<size_t>(id) / 64] |= uint64_t{1} << (id % 64);
    n_bytes += bytes(id).size();
    max_token_bytes_ = std::max(max_token_bytes_, bytes(id).size());
  }
  if (n_bytes >= (size_t{1} << 31)) return error("a vocabulary of {} bytes, at most 2^31 are supported", n_bytes);
  // std::string compares bytes as unsigned, as the tree's order wants.
  std::sort(order.begin(), order.end(), [this](TokenId a, TokenId b) {
    int by_bytes = bytes(a).compare(bytes(b));
    return by_bytes != 0 ? by_bytes < 0 : a < b;
  });
  tree_.push_back({});
  std::vector<uint32_t> path = {0};  // the nodes above and at the last token
  auto close = [&](size_t depth) {
    while (path.size() > depth + 1) {
      tree_[path.back()].end = static_cast<uint32_t>(tree_.size());
      path.pop_back();
    }
  };
  std::string_view last;
  for (TokenId id : order) {
    std::string_view text = bytes(id);
    auto common = static_cast<size_t>(std::mismatch(last.begin(), last.end(), text.begin(), text.end()).first - last.begin());
    close(common);
    for (size_t i = common; i < text.size(); i++) {
      path.push_back(static_cast<uint32_t>(tree_.size()));
      tree_.push_back(
          {0, static_cast<uint32_t>(tree_tokens_.size()), static_cast<uint32_t>(i + 1), static_cast<uint8_t>(text[i])});
    }
    tree_tokens_.push_back(id);
    last = text;
  }
  close(0);
  tree_[0].end = static_cast<uint32_t>(tree_.size());
  tree_.push_back({0, static_cast<uint32_t>(tree_tokens_.size()), 0, 0});
  return {};
}

}  // namespace minke::constrain
