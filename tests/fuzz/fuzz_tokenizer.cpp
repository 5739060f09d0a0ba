// The first byte chooses: bytes as a tokenizer.json, as a tokenizer_config.json, as a text for a small tokenizer, as a pattern,
// or as a tiktoken.model. Texts must come back from the ids; a stream must give what decode() gives, in whole characters.
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "tokenizer/bpe/vocabulary.h"
#include "tokenizer/files/hf_files.h"
#include "tokenizer/text/pattern.h"
#include "tokenizer/text/pre_tokenizer.h"

namespace {

using namespace minke;

void require(bool condition) {
  if (!condition) std::abort();
}

const char* const kSample = "Hello <s> 안녕 123\n\t \xF0\x9F\x99\x82\xFF ab";

// Byte-level, lossless: no normaliser, every byte a token.
const Tokenizer& byte_level() {
  static const Tokenizer kTokenizer = [] {
    TokenizerSpec spec;
    auto add = [&](const std::string& bytes, TokenKind kind) {
      std::string text;
      for (char c : bytes) utf8_append(text, byte_to_symbol(static_cast<uint8_t>(c)));
      spec.tokens.push_back(kind == TokenKind::kNormal ? text : bytes);
      spec.kinds.push_back(kind);
    };
    for (int byte = 0; byte < 256; byte++) add(std::string(1, static_cast<char>(byte)), TokenKind::kNormal);
    for (const char* pair : {"ab", "  ", "\xEA\xB0", "\xB0\x80", "aa"}) {
      add(pair, TokenKind::kNormal);
      auto id = static_cast<TokenId>(spec.tokens.size() - 1);
      spec.merges.push_back({static_cast<uint8_t>(pair[0]), static_cast<uint8_t>(pair[1]), id});
    }
    for (const char* special : {"<s>", "<s>x", "가"}) {
      add(special, TokenKind::kControl);
      AddedToken token;
      token.id = static_cast<TokenId>(spec.tokens.size() - 1);
      token.content = special;
      token.special = special[0] == '<';
      spec.added.push_back(token);
    }
    PreTokenizerStep split, bytes;
    split.pattern = {true, kGpt2Pattern};
    bytes.kind = PreTokenizerStep::Kind::kByteLevel;
    spec.pre_tokenizer = {split, bytes};
    spec.decoder = {DecoderStep{}};
    return *Tokenizer::from_spec(spec, "fuzz");
  }();
  return kTokenizer;
}

void check_stream(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  auto text = tokenizer.decode(ids);
  if (!text) return;
  StreamDecoder decoder(tokenizer);
  std::string streamed;
  for (TokenId id : ids) {
    std::string part = decoder.push(id);
    require(utf8_valid(part));
    streamed += part;
  }
  streamed += decoder.flush();
  require(streamed == *text);
}

void use(const Result<Tokenizer>& tokenizer) {
  if (!tokenizer) {
    require(tokenizer.error().message.find('\n') == std::string::npos);
    return;
  }
  for (bool parse_special : {true, false}) {
    auto ids = tokenizer->encode(kSample, {.add_special = true, .parse_special = parse_special});
    if (ids) check_stream(*tokenizer, *ids);
  }
  GgufMetadata metadata;
  (void)tokenizer->to_gguf_metadata(metadata);
  if (auto files = tokenizer->to_tokenizer_json()) {
    auto json = parse_json(files->tokenizer_json, "written");
    require(json.has_value());
    require(parse_tokenizer_json(*json, "written").has_value());
  }
}

void fuzz_text(std::string_view text) {
  const Tokenizer& tokenizer = byte_level();
  auto ids = tokenizer.encode(text, {});
  require(ids.has_value());
  require(*tokenizer.decode(*ids) == utf8_lossy(text));
  check_stream(tokenizer, *ids);
  auto plain = tokenizer.encode(text, {.add_special = false, .parse_special = false});
  require(plain.has_value() && *tokenizer.decode(*plain) == utf8_lossy(text));
  std::vector<TokenId> any;
  for (char c : text) any.push_back(static_cast<uint8_t>(c));
  check_stream(tokenizer, any);
}

void fuzz_pattern(std::string_view bytes) {
  PreTokenizerStep step;
  step.pattern = {true, utf8_lossy(bytes.substr(0, 200))};
  auto pre_tokenizer = PreTokenizer::compile({step});
  if (!pre_tokenizer) return;
  PatternScratch scratch;
  std::string text = utf8_lossy(kSample);
  Pieces pieces{text, {{0, text.size()}}};
  if (!pre_tokenizer->apply(pieces, true, scratch)) return;
  std::string joined;
  for (Span span : pieces.spans) joined += pieces.text.substr(span.begin, span.end - span.begin);
  require(joined == text);
}

void fuzz_json(std::string_view bytes, bool config) {
  auto json = parse_json(bytes, "fuzz", {.max_depth = 32});
  if (!json) return;
  if (!config) {
    auto spec = parse_tokenizer_json(*json, "fuzz");
    if (spec) use(Tokenizer::from_spec(std::move(*spec), "fuzz"));
    return;
  }
  TokenizerSpec spec = byte_level().spec();
  if (apply_tokenizer_config(spec, *json, "fuzz")) use(Tokenizer::from_spec(std::move(spec), "fuzz"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      fuzz_json(bytes, false);
      break;
    case 1:
      fuzz_json(bytes, true);
      break;
    case 2:
      fuzz_text(bytes);
      break;
    case 3:
      fuzz_pattern(bytes);
      break;
    case 4: {
      auto spec = minke::parse_tiktoken(bytes, "fuzz");
      if (spec) use(Tokenizer::from_spec(std::move(*spec), "fuzz"));
      break;
    }
  }
  return 0;
}
