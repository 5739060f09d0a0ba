#include "tokenizer/text/chunks.h"

#include "base/utf8.h"
#include "tokenizer/text/unicode.h"

namespace minke {
namespace {

bool starts_a_line(std::string_view text, size_t pos) {
  const auto byte = static_cast<unsigned char>(text[pos]);
  if (byte < 0x80) return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
  return !is_white_space(utf8_decode(text, pos).code_point);
}

bool ends_in_white_space(std::string_view text, size_t end) {
  if (end == 0) return true;
  size_t begin = end - 1;
  while (begin > 0 && end - begin < 4 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) begin--;
  return is_white_space(utf8_decode(text, begin).code_point);
}

}  // namespace

size_t next_chunk_end(std::string_view text, size_t begin, size_t n_bytes) {
  if (text.size() - begin <= n_bytes) return text.size();
  for (size_t at = begin + n_bytes; at < text.size(); at++) {
    at = text.find('\n', at - 1);
    if (at == std::string_view::npos || ++at >= text.size()) return text.size();
    if (starts_a_line(text, at) && !ends_in_white_space(text, at - 1)) return at;
  }
  return text.size();
}

}  // namespace minke
