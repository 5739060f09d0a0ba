#include "base/utf8.h"

namespace minke {

Utf8Step utf8_decode(std::string_view text, size_t pos) {
  auto byte = [&](size_t i) { return static_cast<uint8_t>(text[pos + i]); };
  uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  // Table 3-7 of the Unicode standard: the range of the second byte depends on the first.
  size_t length = 0;
  uint8_t low = 0x80, high = 0xBF;
  char32_t code_point = 0;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
    code_point = lead & 0x1F;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    code_point = lead & 0x0F;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    code_point = lead & 0x07;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return {kReplacementCharacter, 1, false};
  }
  for (size_t i = 1; i < length; i++) {
    if (pos + i >= text.size() || byte(i) < low || byte(i) > high) return {kReplacementCharacter, i, false};
    code_point = (code_point << 6) | (byte(i) & 0x3F);
    low = 0x80;
    high = 0xBF;
  }
  return {code_point, length, true};
}

void utf8_append(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

bool utf8_valid(std::string_view text) {
  for (size_t pos = 0; pos < text.size();) {
    Utf8Step step = utf8_decode(text, pos);
    if (!step.valid) return false;
    pos += step.n_bytes;
  }
  return true;
}

std::string utf8_lossy(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t pos = 0; pos < text.size();) {
    Utf8Step step = utf8_decode(text, pos);
    if (step.valid) {
      out.append(text, pos, step.n_bytes);
    } else {
      utf8_append(out, kReplacementCharacter);
    }
    pos += step.n_bytes;
  }
  return out;
}

size_t utf8_incomplete_suffix(std::string_view text) {
  for (size_t back = 1; back <= 3 && back <= text.size(); back++) {
    uint8_t byte = static_cast<uint8_t>(text[text.size() - back]);
    if (byte < 0x80) return 0;
    if (byte < 0xC0) continue;  // a continuation byte: look further back for the lead
    Utf8Step step = utf8_decode(text, text.size() - back);
    // Incomplete: the decoder stopped only because the text ended.
    size_t wanted = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
    return !step.valid && step.n_bytes == back && back < wanted && byte >= 0xC2 && byte <= 0xF4 ? back : 0;
  }
  return 0;
}

}  // namespace minke
