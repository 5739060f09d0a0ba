// Conversations and prompts with completions as tokens, with a mask that is 1 exactly where the model is to learn: on what the
// assistant writes, from behind the generation prompt through the token that ends its turn.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/token_id.h"
#include "jinja/template.h"
#include "tokenizer/tokenizer.h"

namespace minke {

struct EncodedDocument {
  std::vector<TokenId> tokens;
  std::vector<uint8_t> mask;  // empty: all count
  std::string text;           // whose hash decides the split
};

class ChatEncoder {
 public:
  // template_text: in place of the tokenizer's own; "" takes that. A tokenizer without one can still encode text prompts.
  static Result<ChatEncoder> create(const Tokenizer& tokenizer, const std::string& template_text);

  // {"messages": [{"role", "content", ...}, ...], "tools": [...]}: rendered by the chat template.
  Result<EncodedDocument> encode_messages(const Json& row) const;
  // {"prompt": text or messages, "completion": text}: the completion follows the prompt (with messages: the generation prompt)
  // as it is, and the eos token ends it.
  Result<EncodedDocument> encode_completion(const Json& row) const;
  // What the assistant is given to go on from: the messages (under row["prompt"]) and the generation prompt. Nothing counts.
  Result<EncodedDocument> encode_prompt(const Json& row) const;

 private:
  struct Turn {
    size_t begin, end;  // bytes of the rendered conversation
  };
  explicit ChatEncoder(Tokenizer tokenizer) : tokenizer_(std::move(tokenizer)) {}
  Result<std::string> render(const Json& row, const Json& messages, bool generation_prompt) const;
  Result<Turn> locate(const Json& row, size_t message, const std::string& whole) const;
  Result<Turn> locate_content(const Json& row, size_t message, const std::string& whole) const;
  // The size of `text`, a turn without white space behind it; an error if no special token ends it.
  Result<size_t> turn_end(std::string_view text) const;
  Status append(EncodedDocument& document, std::string_view text, bool counts) const;

  Tokenizer tokenizer_;
  std::optional<jinja::Template> template_;
};

}  // namespace minke
