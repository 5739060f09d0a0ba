// The invariants of a TokenizerSpec, checked in one place for every reader.
#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "base/utf8.h"
#include "tokenizer/tokenizer_data.h"

namespace minke {
namespace {

// Bounds the memory of the search for added tokens.
constexpr size_t kMaxAddedBytes = size_t{4} << 20;
constexpr size_t kMaxAddedTokenBytes = 4096;

Status check_vocabulary(const TokenizerSpec& spec) {
  auto n = static_cast<int64_t>(spec.tokens.size());
  if (n == 0) return error("the vocabulary is empty");
  if (n > kMaxVocabSize) return error("the vocabulary has {} ids, at most {} are supported", n, kMaxVocabSize);
  if (spec.kinds.size() != spec.tokens.size()) return error("{} tokens but {} token types", n, spec.kinds.size());
  if (!spec.scores.empty() && spec.scores.size() != spec.tokens.size())
    return error("{} tokens but {} scores", n, spec.scores.size());
  if (std::any_of(spec.scores.begin(), spec.scores.end(), [](float score) { return std::isnan(score); }))
    return error("a score is not a number");
  for (size_t id = 0; id < spec.tokens.size(); id++) {
    const std::string& text = spec.tokens[id];
    if (text.size() > kMaxTokenBytes)
      return error("token {} has {} bytes, at most {} are supported", id, text.size(), kMaxTokenBytes);
    if (!utf8_valid(text)) return error("token {} is not valid UTF-8", id);
  }
  return {};
}

Status check_added(const TokenizerSpec& spec) {
  std::unordered_set<std::string_view> contents;
  std::unordered_set<TokenId> ids;
  size_t total = 0;
  for (const AddedToken& token : spec.added) {
    if (token.id < 0 || static_cast<size_t>(token.id) >= spec.tokens.size())
      return error("added token {}: id outside the vocabulary of {}", token.id, spec.tokens.size());
    if (spec.tokens[static_cast<size_t>(token.id)] != token.content) {
      return error("added token {}: is \"{}\" in the vocabulary, but \"{}\" among the added tokens", token.id,
                   spec.tokens[static_cast<size_t>(token.id)], token.content);
    }
    if (!ids.insert(token.id).second) return error("added token {}: listed twice", token.id);
    if (!contents.insert(token.content).second)
      return error("added token {}: \"{}\" has another id too", token.id, token.content);
    total += token.content.size();
    if (token.content.size() > kMaxAddedTokenBytes || total > kMaxAddedBytes) {
      return error("added token {}: added tokens are longer than supported (at most {} bytes each, {} together)", token.id,
                   kMaxAddedTokenBytes, kMaxAddedBytes);
    }
  }
  return {};
}

Status check_ids(const TokenizerSpec& spec) {
  auto in_range = [&](TokenId id) { return id >= 0 && static_cast<size_t>(id) < spec.tokens.size(); };
  auto check = [&](const char* what, TokenId id) -> Status {
    if (!in_range(id)) return error("{}: id {} is outside the vocabulary of {}", what, id, spec.tokens.size());
    return {};
  };
  for (const Merge& merge : spec.merges) {
    for (TokenId id : {merge.left, merge.right, merge.result}) TRY(check("merges", id));
  }
  for (TokenId id : spec.prefix) TRY(check("tokens before a text", id));
  for (TokenId id : spec.suffix) TRY(check("tokens after a text", id));
  for (TokenId id : spec.eos) TRY(check("eos token", id));
  if (spec.bos) TRY(check("bos token", *spec.bos));
  if (spec.pad) TRY(check("pad token", *spec.pad));
  if (spec.unk) TRY(check("unk token", *spec.unk));
  return {};
}

Status check_steps(const TokenizerSpec& spec) {
  for (size_t i = 0; i < spec.pre_tokenizer.size(); i++) {
    const PreTokenizerStep& step = spec.pre_tokenizer[i];
    // What comes after it would have to split text spelled in the byte alphabet.
    if (step.kind == PreTokenizerStep::Kind::kByteLevel && i + 1 != spec.pre_tokenizer.size())
      return error("pre_tokenizer: ByteLevel is supported only as the last step");
    if (step.kind == PreTokenizerStep::Kind::kMetaspace && step.replacement.empty())
      return error("pre_tokenizer: Metaspace: empty replacement");
  }
  bool decodes_bytes = !spec.decoder.empty() && spec.decoder.front().kind == DecoderStep::Kind::kByteLevel;
  if (decodes_bytes != spec.byte_level()) return error("pre_tokenizer and decoder: expected ByteLevel in both or in none");
  return {};
}

}  // namespace

Status check_spec(const TokenizerSpec& spec) {
  TRY(check_vocabulary(spec));
  TRY(check_added(spec));
  TRY(check_ids(spec));
  return check_steps(spec);
}

}  // namespace minke
