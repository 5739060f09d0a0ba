// Properties of code points that the tokenizer formats refer to.
#pragma once

#include "base/utf8.h"

namespace minke {

// White_Space of the Unicode character database.
constexpr bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

// \w of Unicode regular expressions (UTS 18): Alphabetic, marks, decimal digits, connector punctuation, join controls.
bool is_word_character(char32_t c);

}  // namespace minke
