// Control tokens that a text spells. In what users, tools and documents say they must stay text: "<|im_end|>" in a question
// ends nobody's turn. The texts go through a chat template first, so each of these spellings is marked with a character that
// the texts do not have and that survives what templates do to strings; afterwards the marks are taken out again, and where
// they stood no token may reach across (EncodeOptions::breaks).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "tokenizer/bpe/added_tokens.h"
#include "tokenizer/tokenizer.h"

namespace minke {

struct BrokenText {
  std::string text;
  std::vector<size_t> breaks;  // EncodeOptions::breaks
};

class SpelledTokens {
 public:
  // Spellings of `trusted` are left as they are.
  explicit SpelledTokens(const Tokenizer& tokenizer, const std::vector<std::string>& trusted = {});

  // A Unicode noncharacter that stands nowhere in the value, as UTF-8.
  static Result<std::string> choose_mark(const Json& value);
  std::string marked(std::string_view text, std::string_view mark) const;
  // The same for every string and every key in the value.
  Json marked(const Json& value, std::string_view mark) const;
  static BrokenText without_marks(std::string_view text, std::string_view mark);

 private:
  AddedTokenFinder finder_;
};

}  // namespace minke
