// Text to token ids and back, exactly as the tokenizer's own files define it: byte-level BPE (DeepSeek, Qwen, Llama 3, Kimi,
// GPT-2) and SentencePiece-style BPE (Llama 2). A Tokenizer is a handle to shared immutable data: cheap to copy, and every
// const method may be called from many threads at once. Source: huggingface/tokenizers and its vectors in tests/data.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "format/gguf.h"
#include "tokenizer/spec.h"

namespace minke {

struct EncodeOptions {
  // BOS / EOS as the tokenizer's configuration says. A rendered chat template already has them: pass false.
  bool add_special = true;
  // Control tokens written in the text become their ids. False for untrusted text: then special tokens and everything
  // shaped like one (<|...|>, <｜...｜>) are encoded as plain characters.
  bool parse_special = true;
  // Places in the text, ascending, that no added token may reach across: what stands there was spelled by someone who must not
  // write control tokens, in a text where others may.
  std::span<const size_t> breaks = {};
};

struct DecodeOptions {
  bool skip_special = false;
};

class Tokenizer {
 public:
  // tokenizer.json (or tiktoken.model) with tokenizer_config.json and chat_template.jinja where there.
  static Result<Tokenizer> from_directory(const std::string& path);
  // The same from the path of tokenizer.json; the other files are looked for beside it.
  static Result<Tokenizer> from_tokenizer_json(const std::string& path);
  // tokenizer.ggml.* and tokenizer.chat_template; `where` names the file in errors.
  static Result<Tokenizer> from_gguf(const GgufMetadata& metadata, std::string_view where);
  static Result<Tokenizer> from_spec(TokenizerSpec spec, std::string_view where);

  // Invalid UTF-8 is encoded as U+FFFD, one per maximal invalid part.
  Result<std::vector<TokenId>> encode(std::string_view text, EncodeOptions options = {}) const;
  // Bytes that are not UTF-8 become U+FFFD. Ids without a token are an error.
  Result<std::string> decode(std::span<const TokenId> ids, DecodeOptions options = {}) const;

  int vocab_size() const;
  bool has_token(TokenId id) const;
  // As spelled in the file, and the bytes that the token adds to a text; both empty for an id without a token.
  const std::string& token_text(TokenId id) const;
  std::string_view token_bytes(TokenId id) const;
  std::optional<TokenId> token_to_id(std::string_view text) const;
  bool is_special(TokenId id) const;

  std::optional<TokenId> bos() const;
  std::optional<TokenId> eos() const;
  std::optional<TokenId> pad() const;
  const std::vector<TokenId>& eos_ids() const;

  // The template called `name`, none if there is no such.
  const std::string* chat_template(std::string_view name = "default") const;
  const std::vector<ChatTemplate>& chat_templates() const;

  const TokenizerSpec& spec() const;
  // Sets the tokenizer.* keys. Rows up to padded_vocab_size without a token are written as unused. An error when GGUF cannot
  // say what this tokenizer does.
  Status to_gguf_metadata(GgufMetadata& metadata, int padded_vocab_size = 0) const;
  struct HfFiles {
    std::string tokenizer_json;
    std::string tokenizer_config_json;
  };
  Result<HfFiles> to_tokenizer_json() const;

 private:
  friend class StreamDecoder;
  struct Data;
  explicit Tokenizer(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  static Result<Tokenizer> compile(TokenizerSpec spec, std::string_view where);
  Result<std::vector<TokenId>> encode_text(std::string_view text, EncodeOptions options) const;
  std::shared_ptr<const Data> data_;
};

// Decodes one id at a time. What is given out is always whole characters, and all of it together is decode() of all ids.
class StreamDecoder {
 public:
  explicit StreamDecoder(Tokenizer tokenizer, DecodeOptions options = {});
  // The text that this id completes, often empty in the middle of a character. An id without a token adds nothing.
  std::string push(TokenId id);
  // The end: what is still held back, as U+FFFD where it is cut. The decoder is then ready for a new text.
  std::string flush();

 private:
  void append(std::string& out, std::string_view bytes);
  void end_byte_run(std::string& out);
  std::string give_out(std::string text);

  Tokenizer tokenizer_;
  DecodeOptions options_;
  std::string pending_;  // bytes of an unfinished character, or a run of byte tokens
  bool first_token_ = true;
  int strip_left_ = 0;  // leading characters that the decoder still takes away
};

}  // namespace minke
