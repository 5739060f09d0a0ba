#include <algorithm>

#include "tokenizer/files/gguf_vocab.h"
#include "tokenizer/files/pre_table.h"
#include "tokenizer/files/score_merges.h"

namespace minke {
namespace {

// GGUF has ids and types for added tokens, nothing else.
Status check_added_fit(const TokenizerSpec& spec) {
  for (const AddedToken& token : spec.added) {
    if (token.lstrip || token.rstrip || token.single_word) {
      return error("GGUF metadata cannot say that token {} (\"{}\") is lstrip, rstrip or single_word", token.id, token.content);
    }
    // Before or after NFC or the space marks of SentencePiece, the same literal text is found; other steps could change it.
    bool plain = std::all_of(spec.normalizer.begin(), spec.normalizer.end(),
                             [](const NormalizerStep& step) { return step.kind == NormalizerStep::Kind::kNfc; });
    if (token.normalized && !plain)
      return error("GGUF metadata cannot say that token {} (\"{}\") is looked for after normalisation", token.id,
                   token.content);
  }
  return {};
}

Status write_tokens(const TokenizerSpec& spec, int padded_vocab_size, GgufMetadata& metadata) {
  auto n = static_cast<int64_t>(spec.tokens.size());
  int64_t n_rows = std::max<int64_t>(n, padded_vocab_size);
  if (n_rows > kMaxVocabSize) return error("a vocabulary of {} rows, at most {} are supported", n_rows, kMaxVocabSize);
  std::vector<std::string> tokens = spec.tokens;
  std::vector<int64_t> types;
  for (int64_t id = 0; id < n_rows; id++) {
    TokenKind kind = id < n ? spec.kinds[static_cast<size_t>(id)] : TokenKind::kUnused;
    types.push_back(static_cast<int64_t>(kind));
    if (id >= n) tokens.emplace_back();
    std::string& text = tokens[static_cast<size_t>(id)];
    if (kind == TokenKind::kUnused && text.empty()) text = fmt::format("[PAD{}]", id);
  }
  for (const AddedToken& token : spec.added) {
    auto id = static_cast<size_t>(token.id);
    if (token.special && types[id] == static_cast<int64_t>(TokenKind::kUserDefined))
      types[id] = static_cast<int64_t>(TokenKind::kControl);
  }
  metadata.set("tokenizer.ggml.tokens", GgufValue::strings(std::move(tokens)));
  metadata.set("tokenizer.ggml.token_type", GgufValue::i32s(std::move(types)));
  return {};
}

Status write_byte_level(const TokenizerSpec& spec, GgufMetadata& metadata) {
  const PreTokenizerRow* row = matching_pre_tokenizer(spec);
  if (row == nullptr) {
    std::string first = spec.pre_tokenizer.front().pattern.text;
    return error(
        "no name of tokenizer.ggml.pre stands for this pre-tokenizer and normalizer (its first pattern is \"{}\"); known names "
        "are {}",
        first, pre_tokenizer_names());
  }
  metadata.set("tokenizer.ggml.model", GgufValue::string("gpt2"));
  metadata.set("tokenizer.ggml.pre", GgufValue::string(std::string(row->names.front())));
  std::vector<std::string> merges;
  merges.reserve(spec.merges.size());
  for (const Merge& merge : spec.merges) {
    const std::string& left = spec.tokens[static_cast<size_t>(merge.left)];
    const std::string& right = spec.tokens[static_cast<size_t>(merge.right)];
    if (left.find(' ') != std::string::npos)
      return error("GGUF metadata cannot hold the merge of \"{}\", which has a space", left);
    merges.push_back(left + " " + right);
  }
  metadata.set("tokenizer.ggml.merges", GgufValue::strings(std::move(merges)));
  return {};
}

Status write_sentencepiece(const TokenizerSpec& spec, int padded_vocab_size, GgufMetadata& metadata) {
  TokenizerSpec with_prefix, without;
  set_sentencepiece_steps(with_prefix, true);
  set_sentencepiece_steps(without, false);
  auto same = [&](const TokenizerSpec& other) {
    return spec.normalizer == other.normalizer && spec.decoder == other.decoder && spec.pre_tokenizer.empty();
  };
  bool prefix = same(with_prefix);
  if (!prefix && !same(without))
    return error(
        "the normalizer, pre_tokenizer and decoder of this tokenizer are not those that tokenizer.ggml.model \"llama\" stands "
        "for");
  if (spec.ignore_merges) return error("GGUF metadata cannot say ignore_merges for a vocabulary with scores");
  std::vector<float> scores = spec.scores;
  if (scores.empty()) scores = TRY(scores_from_merges(spec));
  std::vector<double> wide(scores.begin(), scores.end());
  wide.resize(std::max(wide.size(), static_cast<size_t>(std::max(padded_vocab_size, 0))), -1e9);
  metadata.set("tokenizer.ggml.model", GgufValue::string("llama"));
  metadata.set("tokenizer.ggml.pre", GgufValue::string("default"));
  metadata.set("tokenizer.ggml.scores", GgufValue::f32s(std::move(wide)));
  metadata.set("tokenizer.ggml.add_space_prefix", GgufValue::boolean(prefix));
  return {};
}

Status write_ids(const TokenizerSpec& spec, GgufMetadata& metadata) {
  auto write = [&](const char* key, TokenId id) { metadata.set(key, GgufValue::u32(static_cast<uint32_t>(id))); };
  if (spec.bos) write("tokenizer.ggml.bos_token_id", *spec.bos);
  constexpr const char* kEnds[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"};
  if (spec.eos.size() > std::size(kEnds))
    return error("GGUF metadata has {} ids that end a text, this tokenizer has {}", std::size(kEnds), spec.eos.size());
  for (size_t i = 0; i < spec.eos.size(); i++) write(kEnds[i], spec.eos[i]);
  if (spec.pad) write("tokenizer.ggml.padding_token_id", *spec.pad);
  if (spec.unk) write("tokenizer.ggml.unknown_token_id", *spec.unk);

  bool add_bos = !spec.prefix.empty();
  bool add_eos = !spec.suffix.empty();
  bool bos_only = !add_bos || (spec.bos && spec.prefix == std::vector{*spec.bos});
  bool eos_only = !add_eos || (!spec.eos.empty() && spec.suffix == std::vector{spec.eos.front()});
  if (!bos_only || !eos_only)
    return error("GGUF metadata can only say that bos comes before and eos after a text; this tokenizer adds other tokens");
  metadata.set("tokenizer.ggml.add_bos_token", GgufValue::boolean(add_bos));
  metadata.set("tokenizer.ggml.add_eos_token", GgufValue::boolean(add_eos));
  return {};
}

void write_chat_templates(const TokenizerSpec& spec, GgufMetadata& metadata) {
  std::vector<std::string> names;
  for (const ChatTemplate& chat : spec.chat_templates) {
    if (chat.name == "default") {
      metadata.set("tokenizer.chat_template", GgufValue::string(chat.text));
      continue;
    }
    names.push_back(chat.name);
    metadata.set("tokenizer.chat_template." + chat.name, GgufValue::string(chat.text));
  }
  if (!names.empty()) metadata.set("tokenizer.chat_templates", GgufValue::strings(std::move(names)));
}

}  // namespace

Status write_gguf_vocab(const TokenizerSpec& spec, int padded_vocab_size, GgufMetadata& metadata) {
  TRY(check_added_fit(spec));
  TRY(spec.byte_level() ? write_byte_level(spec, metadata) : write_sentencepiece(spec, padded_vocab_size, metadata));
  TRY(write_tokens(spec, padded_vocab_size, metadata));
  TRY(write_ids(spec, metadata));
  write_chat_templates(spec, metadata);
  return {};
}

}  // namespace minke
