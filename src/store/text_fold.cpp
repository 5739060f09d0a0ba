#include "store/text_fold.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "base/utf8.h"

namespace minke::store {
namespace {

constexpr int kSnippetSide = 40;  // characters

// Folding leaves these alone and they do not combine: Hangul syllables, ideographs, kana without voicing marks, CJK
// punctuation. Most Korean, Chinese and Japanese text is only these and ASCII, and needs no look at tables.
bool is_plain(char32_t c) {
  return (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3041 && c <= 0x3096) ||
         (c >= 0x30A1 && c <= 0x30FA) || (c >= 0x3001 && c <= 0x3003) || (c >= 0x3008 && c <= 0x3011);
}

char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool only_plain(std::string_view text) {
  for (size_t pos = 0; pos < text.size();) {
    if (static_cast<unsigned char>(text[pos]) < 0x80) {
      pos++;
      continue;
    }
    const Utf8Step step = utf8_decode(text, pos);
    if (!step.valid || !is_plain(step.code_point)) return false;
    pos += step.n_bytes;
  }
  return true;
}

// The start of the n-th character before or after pos.
size_t step_back(std::string_view text, size_t pos, int n) {
  for (; n > 0 && pos > 0; n--) {
    do {
      pos--;
    } while (pos > 0 && (static_cast<unsigned char>(text[pos]) & 0xC0) == 0x80);
  }
  return pos;
}
size_t step_on(std::string_view text, size_t pos, int n) {
  for (; n > 0 && pos < text.size(); n--) pos += utf8_decode(text, pos).n_bytes;
  return std::min(pos, text.size());
}

}  // namespace

std::string fold_text(std::string_view text) {
  if (!only_plain(text)) {
    utf8proc_uint8_t* mapped = nullptr;
    const auto n =
        utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                     &mapped, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD));
    const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(mapped, &std::free);
    if (n >= 0) return {reinterpret_cast<const char*>(mapped), static_cast<size_t>(n)};
  }
  std::string folded(text);
  std::ranges::transform(folded, folded.begin(), ascii_lower);
  return folded;
}

std::string snippet_around(std::string_view text, std::string_view folded_word) {
  // Folding moves places, so the shortest beginning of the text that has the word is sought by halving.
  size_t end = 0;
  if (fold_text(text).find(folded_word) != std::string::npos) {
    size_t without = 0;
    end = text.size();
    while (true) {
      size_t middle = without + (end - without) / 2;
      while (middle > without && (static_cast<unsigned char>(text[middle]) & 0xC0) == 0x80) middle--;
      if (middle == without) break;
      if (fold_text(text.substr(0, middle)).find(folded_word) == std::string::npos) {
        without = middle;
      } else {
        end = middle;
      }
    }
    end = step_on(text, without, 1);
  }
  const size_t from = step_back(text, end, kSnippetSide + static_cast<int>(std::min<size_t>(folded_word.size(), 400)));
  const size_t to = step_on(text, end, kSnippetSide);
  std::string snippet(text.substr(from, to - from));
  std::ranges::replace_if(
      snippet, [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
  if (from > 0) snippet.insert(0, "…");
  if (to < text.size()) snippet += "…";
  return snippet;
}

}  // namespace minke::store
