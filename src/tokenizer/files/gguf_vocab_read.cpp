#include <algorithm>
#include <cmath>

#include "tokenizer/bpe/vocabulary.h"
#include "tokenizer/files/gguf_vocab.h"
#include "tokenizer/files/pre_table.h"
#include "tokenizer/files/rank_merges.h"

namespace minke {
namespace {

constexpr std::string_view kSpaceMark = "\u2581";  // ▁, a space in SentencePiece vocabularies

Result<std::optional<TokenId>> optional_id(const GgufMetadata& metadata, const std::string& key, size_t n) {
  if (!metadata.has(key)) return std::nullopt;
  int64_t id = TRY(metadata.integer(key));
  if (id < 0 || id >= static_cast<int64_t>(n)) return error("{}: expected an id from 0 to {}, got {}", key, n - 1, id);
  return static_cast<TokenId>(id);
}

Result<bool> optional_boolean(const GgufMetadata& metadata, const std::string& key, bool missing) {
  if (!metadata.has(key)) return missing;
  return metadata.boolean(key);
}

Status read_tokens(TokenizerSpec& spec, const GgufMetadata& metadata) {
  spec.tokens = TRY(metadata.strings("tokenizer.ggml.tokens"));
  size_t n = spec.tokens.size();
  if (n == 0 || n > static_cast<size_t>(kMaxVocabSize))
    return error("tokenizer.ggml.tokens: expected 1 to {} tokens, got {}", kMaxVocabSize, n);
  spec.kinds.assign(n, TokenKind::kNormal);
  if (!metadata.has("tokenizer.ggml.token_type")) return {};
  std::vector<int64_t> types = TRY(metadata.integers("tokenizer.ggml.token_type"));
  if (types.size() != n) return error("tokenizer.ggml.token_type: expected {} values, got {}", n, types.size());
  for (size_t id = 0; id < n; id++) {
    if (types[id] < 1 || types[id] > 6) return error("tokenizer.ggml.token_type[{}]: expected 1 to 6, got {}", id, types[id]);
    spec.kinds[id] = static_cast<TokenKind>(types[id]);
  }
  return {};
}

void list_added_tokens(TokenizerSpec& spec, bool user_defined_in_model) {
  for (size_t id = 0; id < spec.tokens.size(); id++) {
    TokenKind kind = spec.kinds[id];
    bool special = kind == TokenKind::kControl || kind == TokenKind::kUnknown;
    if (!special && kind != TokenKind::kUserDefined) continue;
    AddedToken token;
    token.id = static_cast<TokenId>(id);
    token.content = spec.tokens[id];
    token.special = special;
    token.in_model = user_defined_in_model && !special;
    spec.added.push_back(std::move(token));
  }
}

Status read_ids(TokenizerSpec& spec, const GgufMetadata& metadata, bool add_bos_if_missing) {
  size_t n = spec.tokens.size();
  spec.bos = TRY(optional_id(metadata, "tokenizer.ggml.bos_token_id", n));
  spec.pad = TRY(optional_id(metadata, "tokenizer.ggml.padding_token_id", n));
  spec.unk = TRY(optional_id(metadata, "tokenizer.ggml.unknown_token_id", n));
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    std::optional<TokenId> id = TRY(optional_id(metadata, key, n));
    if (id && std::find(spec.eos.begin(), spec.eos.end(), *id) == spec.eos.end()) spec.eos.push_back(*id);
  }
  bool add_bos = TRY(optional_boolean(metadata, "tokenizer.ggml.add_bos_token", add_bos_if_missing && spec.bos.has_value()));
  bool add_eos = TRY(optional_boolean(metadata, "tokenizer.ggml.add_eos_token", false));
  if (add_bos && !spec.bos) return error("tokenizer.ggml.add_bos_token: true, but there is no tokenizer.ggml.bos_token_id");
  if (add_eos && !metadata.has("tokenizer.ggml.eos_token_id"))
    return error("tokenizer.ggml.add_eos_token: true, but there is no tokenizer.ggml.eos_token_id");
  if (add_bos) spec.prefix = {*spec.bos};
  if (add_eos) spec.suffix = {spec.eos.front()};
  return {};
}

Status read_chat_templates(TokenizerSpec& spec, const GgufMetadata& metadata) {
  constexpr std::string_view kKey = "tokenizer.chat_template";
  for (const auto& [key, value] : metadata.entries()) {
    if (!std::string_view(key).starts_with(kKey)) continue;
    std::string_view rest = std::string_view(key).substr(kKey.size());
    if (rest == "s" || (!rest.empty() && rest[0] != '.')) continue;  // tokenizer.chat_templates lists the names
    std::string text = TRY(metadata.string(key));
    spec.chat_templates.push_back({rest.empty() ? "default" : std::string(rest.substr(1)), std::move(text)});
  }
  return {};
}

Status read_merges(TokenizerSpec& spec, const GgufMetadata& metadata) {
  std::vector<std::string> merges = TRY(metadata.strings("tokenizer.ggml.merges"));
  TokenMap by_text(spec.tokens.size());
  for (size_t id = 0; id < spec.tokens.size(); id++) {
    if (spec.kinds[id] == TokenKind::kNormal) by_text.insert(spec.tokens[id], static_cast<TokenId>(id));
  }
  spec.merges.reserve(merges.size());
  std::string joined;
  for (size_t rank = 0; rank < merges.size(); rank++) {
    std::string_view merge = merges[rank];
    size_t space = merge.find(' ', 1);
    if (space == std::string_view::npos || space + 1 == merge.size())
      return error("tokenizer.ggml.merges[{}]: expected two tokens with a space between, got \"{}\"", rank, merge);
    joined.assign(merge.substr(0, space)).append(merge.substr(space + 1));
    std::string_view texts[3] = {merge.substr(0, space), merge.substr(space + 1), joined};
    std::optional<TokenId> ids[3];
    for (int i = 0; i < 3; i++) {
      ids[i] = by_text.find(texts[i]);
      if (!ids[i]) return error("tokenizer.ggml.merges[{}]: token \"{}\" is not in the vocabulary", rank, texts[i]);
    }
    spec.merges.push_back({*ids[0], *ids[1], *ids[2]});
  }
  return {};
}

Status read_byte_level(TokenizerSpec& spec, const GgufMetadata& metadata) {
  if (!metadata.has("tokenizer.ggml.pre")) {
    return error(
        "tokenizer.ggml.pre: missing, so how text is split is not known; convert the model again, or set it to one of {}",
        pre_tokenizer_names());
  }
  std::string pre = TRY(metadata.string("tokenizer.ggml.pre"));
  const PreTokenizerRow* row = find_pre_tokenizer(pre);
  if (row == nullptr) return error("tokenizer.ggml.pre: \"{}\" is not supported; supported are {}", pre, pre_tokenizer_names());
  bool space_prefix = TRY(optional_boolean(metadata, "tokenizer.ggml.add_space_prefix", false));
  spec.normalizer = normalizer_steps(*row);
  spec.pre_tokenizer = pre_tokenizer_steps(*row);
  spec.pre_tokenizer.back().add_prefix_space = space_prefix;
  spec.ignore_merges = row->ignore_merges;
  DecoderStep bytes;
  spec.decoder = {bytes};
  list_added_tokens(spec, /*user_defined_in_model=*/false);
  TRY(read_ids(spec, metadata, row->add_bos));
  // Files of Kimi K2 may come without merges: its vocabulary is in the order of the ranks, which give them.
  if (!metadata.has("tokenizer.ggml.merges") && pre == "kimi-k2") return merges_from_ranks(spec);
  return read_merges(spec, metadata);
}

Status read_sentencepiece(TokenizerSpec& spec, const GgufMetadata& metadata) {
  if (metadata.has("tokenizer.ggml.pre")) {
    std::string pre = TRY(metadata.string("tokenizer.ggml.pre"));
    if (pre != "default")
      return error("tokenizer.ggml.pre: \"{}\" is not supported with tokenizer.ggml.model \"llama\", only \"default\"", pre);
  }
  std::vector<double> scores = TRY(metadata.numbers("tokenizer.ggml.scores"));
  if (scores.size() != spec.tokens.size())
    return error("tokenizer.ggml.scores: expected {} values, got {}", spec.tokens.size(), scores.size());
  for (double score : scores) spec.scores.push_back(static_cast<float>(score));
  bool remove_spaces = TRY(optional_boolean(metadata, "tokenizer.ggml.remove_extra_whitespaces", false));
  if (remove_spaces) return error("tokenizer.ggml.remove_extra_whitespaces: true is not supported");
  bool space_prefix = TRY(optional_boolean(metadata, "tokenizer.ggml.add_space_prefix", true));
  set_sentencepiece_steps(spec, space_prefix);
  spec.byte_fallback = std::find(spec.kinds.begin(), spec.kinds.end(), TokenKind::kByte) != spec.kinds.end();
  spec.fuse_unk = true;
  list_added_tokens(spec, /*user_defined_in_model=*/true);
  return read_ids(spec, metadata, /*add_bos_if_missing=*/true);
}

}  // namespace

void set_sentencepiece_steps(TokenizerSpec& spec, bool add_space_prefix) {
  NormalizerStep prepend, replace;
  prepend.kind = NormalizerStep::Kind::kPrepend;
  prepend.content = kSpaceMark;
  replace.kind = NormalizerStep::Kind::kReplace;
  replace.pattern = {false, " "};
  replace.content = kSpaceMark;
  spec.normalizer = add_space_prefix ? std::vector{prepend, replace} : std::vector{replace};

  DecoderStep space, bytes, fuse, strip;
  space.kind = DecoderStep::Kind::kReplace;
  space.pattern = kSpaceMark;
  space.content = " ";
  bytes.kind = DecoderStep::Kind::kByteFallback;
  fuse.kind = DecoderStep::Kind::kFuse;
  strip.kind = DecoderStep::Kind::kStrip;
  strip.content = " ";
  strip.strip_start = 1;
  spec.decoder = add_space_prefix ? std::vector{space, bytes, fuse, strip} : std::vector{space, bytes, fuse};
}

Result<TokenizerSpec> read_gguf_vocab(const GgufMetadata& metadata) {
  TokenizerSpec spec;
  std::string model = TRY(metadata.string("tokenizer.ggml.model"));
  if (model != "gpt2" && model != "llama")
    return error("tokenizer.ggml.model: \"{}\" is not supported; supported are gpt2, llama", model);
  TRY(read_tokens(spec, metadata));
  TRY(model == "gpt2" ? read_byte_level(spec, metadata) : read_sentencepiece(spec, metadata));
  TRY(read_chat_templates(spec, metadata));
  return spec;
}

}  // namespace minke
