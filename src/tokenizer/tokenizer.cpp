#include "tokenizer/tokenizer.h"

#include <algorithm>

#include "base/check.h"
#include "base/utf8.h"
#include "tokenizer/files/gguf_vocab.h"
#include "tokenizer/files/hf_files.h"
#include "tokenizer/tokenizer_data.h"

namespace minke {
namespace {

// A run without a place to split takes about 40 bytes of memory for each of its own.
constexpr size_t kMaxTextBytes = size_t{64} << 20;

// One call's working memory.
struct EncodeState {
  PatternScratch patterns;
  Bpe::Scratch bpe;
  std::vector<TokenId> ids;
};

Result<AddedTokenFinder> make_finder(const TokenizerSpec& spec, bool normalized, const Normalizer& normalizer) {
  std::vector<const AddedToken*> tokens;
  std::vector<std::string> contents;
  PatternScratch scratch;
  for (const AddedToken& token : spec.added) {
    // Without a normaliser the two kinds are looked for together, as one longest match.
    if ((token.normalized && !normalizer.empty()) != normalized) continue;
    std::string content = token.content;
    if (normalized) TRY(normalizer.apply(content, scratch));
    tokens.push_back(&token);
    contents.push_back(std::move(content));
  }
  return AddedTokenFinder(tokens, contents);
}

// Which ids the model itself can produce; the others come only from the search for added tokens.
std::vector<bool> model_ids(const TokenizerSpec& spec, bool byte_level) {
  std::vector<bool> in_model(spec.tokens.size());
  for (size_t id = 0; id < spec.tokens.size(); id++) {
    in_model[id] = spec.kinds[id] == TokenKind::kNormal && (!byte_level || bytes_from_symbols(spec.tokens[id]));
  }
  for (const AddedToken& token : spec.added) {
    if (token.in_model && !token.special)
      in_model[static_cast<size_t>(token.id)] = !byte_level || bytes_from_symbols(token.content);
  }
  return in_model;
}

// Messages quote what files say; a control byte in it must neither break the line nor reach a terminal.
template <typename T>
Result<T> in_one_line(Result<T> result) {
  if (result) return result;
  std::string text;
  for (char c : result.error().message.substr(0, 2000)) {
    bool control = static_cast<uint8_t>(c) < 0x20 || c == 0x7F;
    text += control ? fmt::format("\\x{:02X}", static_cast<uint8_t>(c)) : std::string(1, c);
  }
  return error("{}", text);
}

}  // namespace

Result<Tokenizer> Tokenizer::compile(TokenizerSpec spec, std::string_view where) {
  TRY_IN(where, check_spec(spec));
  Normalizer normalizer = TRY_IN(where, Normalizer::compile(spec.normalizer));
  PreTokenizer pre_tokenizer = TRY_IN(where, PreTokenizer::compile(spec.pre_tokenizer));
  DecodePlan plan = TRY_IN(where, DecodePlan::compile(spec.decoder));
  AddedTokenFinder raw = TRY_IN(where, make_finder(spec, false, normalizer));
  AddedTokenFinder normalized = TRY_IN(where, make_finder(spec, true, normalizer));

  size_t n = spec.tokens.size();
  std::vector<bool> is_added(n), special(n), byte_token(n);
  for (const AddedToken& token : spec.added) {
    is_added[static_cast<size_t>(token.id)] = true;
    special[static_cast<size_t>(token.id)] = token.special;
  }
  std::vector<std::string> token_bytes(n);
  TokenMap by_text(n);
  for (size_t id = 0; id < n; id++) {
    if (spec.kinds[id] == TokenKind::kUnused) continue;
    token_bytes[id] = plan.token_bytes(spec.tokens[id], is_added[id]);
    byte_token[id] = plan.byte_fallback && parse_byte_token(spec.tokens[id]).has_value();
  }
  std::vector<bool> in_model = model_ids(spec, plan.byte_level);

  auto data = std::make_shared<Data>(Data{
      .spec = std::move(spec),
      .token_bytes = std::move(token_bytes),
      .special = std::move(special),
      .byte_token = std::move(byte_token),
      .by_text = std::move(by_text),
      .normalizer = std::move(normalizer),
      .pre_tokenizer = std::move(pre_tokenizer),
      .raw_added = std::move(raw),
      .normalized_added = std::move(normalized),
      .bpe = Bpe(),
      .decode_plan = std::move(plan),
  });
  // The maps keep views of the strings above, so they are filled where those stay.
  for (size_t id = 0; id < n; id++) {
    const std::string& text = data->spec.tokens[id];
    if (data->spec.kinds[id] == TokenKind::kUnused || data->by_text.insert(text, static_cast<TokenId>(id))) continue;
    return error("{}: token \"{}\" has the ids {} and {}", where, text, *data->by_text.find(text), id);
  }
  data->bpe = Bpe(data->spec, data->decode_plan.byte_level ? data->token_bytes : data->spec.tokens, in_model);
  return Tokenizer(std::move(data));
}

Result<Tokenizer> Tokenizer::from_spec(TokenizerSpec spec, std::string_view where) {
  return in_one_line(compile(std::move(spec), where));
}

Result<Tokenizer> Tokenizer::from_directory(const std::string& path) {
  return in_one_line(read_hf_directory(path).and_then([&](TokenizerSpec&& spec) { return compile(std::move(spec), path); }));
}

Result<Tokenizer> Tokenizer::from_tokenizer_json(const std::string& path) {
  return in_one_line(read_hf_tokenizer(path).and_then([&](TokenizerSpec&& spec) { return compile(std::move(spec), path); }));
}

Result<Tokenizer> Tokenizer::from_gguf(const GgufMetadata& metadata, std::string_view where) {
  auto load = [&]() -> Result<Tokenizer> {
    TokenizerSpec spec = TRY_IN(where, read_gguf_vocab(metadata));
    return compile(std::move(spec), where);
  };
  return in_one_line(load());
}

Result<std::vector<TokenId>> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  return in_one_line(encode_text(text, options));
}

Result<std::vector<TokenId>> Tokenizer::encode_text(std::string_view text, EncodeOptions options) const {
  if (text.size() > kMaxTextBytes)
    return error("text of {} bytes, at most {} can be encoded at once", text.size(), kMaxTextBytes);
  std::string lossy;
  if (!utf8_valid(text)) {
    if (!options.breaks.empty()) return error("a text with breaks that is not UTF-8");
    lossy = utf8_lossy(text);
    text = lossy;
  }
  const Data& data = *data_;
  EncodeState state;
  if (options.add_special) state.ids = data.spec.prefix;
  state.ids.reserve(text.size() / 3 + 8);

  auto encode_pieces = [&](std::string part, bool at_start) -> Status {
    if (part.empty()) return {};
    Pieces pieces{std::move(part), {}};
    pieces.spans.push_back({0, pieces.text.size()});
    TRY(data.pre_tokenizer.apply(pieces, at_start, state.patterns));
    std::string_view whole = pieces.text;
    for (Span span : pieces.spans) data.bpe.encode(whole.substr(span.begin, span.end - span.begin), state.ids, state.bpe);
    return {};
  };
  std::vector<TextPart> parts, inner_parts;
  data.raw_added.split(text, options.parse_special, parts, options.breaks);
  for (const TextPart& part : parts) {
    if (part.id >= 0) {
      state.ids.push_back(part.id);
      continue;
    }
    bool at_start = part.span.begin == 0;
    std::string normal(text.substr(part.span.begin, part.span.end - part.span.begin));
    TRY(data.normalizer.apply(normal, state.patterns));
    if (data.normalized_added.empty()) {
      TRY(encode_pieces(std::move(normal), at_start));
      continue;
    }
    inner_parts.clear();
    // Normalising moves the places of breaks, so in a part with one nothing is parsed.
    const auto first_break = std::lower_bound(options.breaks.begin(), options.breaks.end(), part.span.begin);
    const bool has_break = first_break != options.breaks.end() && *first_break < part.span.end;
    data.normalized_added.split(normal, options.parse_special && !has_break, inner_parts);
    for (const TextPart& inner : inner_parts) {
      if (inner.id >= 0) {
        state.ids.push_back(inner.id);
      } else {
        TRY(encode_pieces(normal.substr(inner.span.begin, inner.span.end - inner.span.begin),
                          at_start && inner.span.begin == 0));
      }
    }
  }
  if (options.add_special) state.ids.insert(state.ids.end(), data.spec.suffix.begin(), data.spec.suffix.end());
  return std::move(state.ids);
}

Result<std::string> Tokenizer::decode(std::span<const TokenId> ids, DecodeOptions options) const {
  for (TokenId id : ids) {
    if (!has_token(id)) return error("token id {} is not in the vocabulary of {}", id, vocab_size());
  }
  StreamDecoder decoder(*this, options);
  std::string text;
  for (TokenId id : ids) text += decoder.push(id);
  return text + decoder.flush();
}

int Tokenizer::vocab_size() const { return static_cast<int>(data_->spec.tokens.size()); }

bool Tokenizer::has_token(TokenId id) const {
  return id >= 0 && id < vocab_size() && data_->spec.kinds[static_cast<size_t>(id)] != TokenKind::kUnused;
}

const std::string& Tokenizer::token_text(TokenId id) const {
  static const std::string kNone;
  return has_token(id) ? data_->spec.tokens[static_cast<size_t>(id)] : kNone;
}

std::string_view Tokenizer::token_bytes(TokenId id) const {
  return has_token(id) ? std::string_view(data_->token_bytes[static_cast<size_t>(id)]) : std::string_view();
}

std::optional<TokenId> Tokenizer::token_to_id(std::string_view text) const { return data_->by_text.find(text); }

bool Tokenizer::is_special(TokenId id) const { return has_token(id) && data_->special[static_cast<size_t>(id)]; }

std::optional<TokenId> Tokenizer::bos() const { return data_->spec.bos; }

std::optional<TokenId> Tokenizer::eos() const {
  return data_->spec.eos.empty() ? std::nullopt : std::optional(data_->spec.eos.front());
}

std::optional<TokenId> Tokenizer::pad() const { return data_->spec.pad; }

const std::vector<TokenId>& Tokenizer::eos_ids() const { return data_->spec.eos; }

const std::string* Tokenizer::chat_template(std::string_view name) const {
  for (const ChatTemplate& chat : data_->spec.chat_templates) {
    if (chat.name == name) return &chat.text;
  }
  return nullptr;
}

const std::vector<ChatTemplate>& Tokenizer::chat_templates() const { return data_->spec.chat_templates; }

const TokenizerSpec& Tokenizer::spec() const { return data_->spec; }

Status Tokenizer::to_gguf_metadata(GgufMetadata& metadata, int padded_vocab_size) const {
  return in_one_line(write_gguf_vocab(data_->spec, padded_vocab_size, metadata));
}

Result<Tokenizer::HfFiles> Tokenizer::to_tokenizer_json() const { return write_hf_files(data_->spec); }

}  // namespace minke
