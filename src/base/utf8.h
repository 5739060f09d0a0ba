// UTF-8 and code points.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace minke {

constexpr char32_t kReplacementCharacter = 0xFFFD;

// As the C library says it in the "C" locale, whatever the locale and for every char.
constexpr bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_ascii_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

struct Utf8Step {
  char32_t code_point;  // U+FFFD when the bytes are not valid UTF-8
  size_t n_bytes;       // bytes consumed; for invalid input the maximal subpart of the WHATWG "replace" policy, at least 1
  bool valid;
};

// Decodes the code point at text[pos]; pos must be < text.size(). Surrogates, overlong forms and > U+10FFFF are invalid.
Utf8Step utf8_decode(std::string_view text, size_t pos);

// Appends the UTF-8 of a code point.
void utf8_append(std::string& out, char32_t code_point);

bool utf8_valid(std::string_view text);

// Every invalid sequence replaced by U+FFFD (one per maximal subpart, as WHATWG and Python's errors="replace" do).
std::string utf8_lossy(std::string_view text);

// How many bytes at the end of text are the start of a sequence that could still become valid (0..3).
size_t utf8_incomplete_suffix(std::string_view text);

}  // namespace minke
