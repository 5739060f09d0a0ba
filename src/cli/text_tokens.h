// A text file as tokens, for commands that run whole texts through a model.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/token_id.h"

namespace minke::cli {

struct TextTokens {
  std::vector<TokenId> tokens;  // without special ones; text that spells a special token is text
  std::optional<TokenId> bos;   // where the tokenizer puts one before a text
};

Result<TextTokens> read_text_tokens(const std::string& text_path, const std::string& model_path);

}  // namespace minke::cli
