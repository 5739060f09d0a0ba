// Python 3 str methods (docs.python.org/3/library/stdtypes.html#text-sequence-type-str); character properties from utf8proc.
#include "jinja/value/text.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/utf8.h"
#include "jinja/value/case_table.h"

namespace minke::jinja {

namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

char32_t previous(std::string_view text, size_t end, size_t* start) {
  size_t at = end - 1;
  while (at > 0 && is_continuation(text[at])) --at;
  *start = at;
  return utf8_decode(text, at).code_point;
}

template <typename Visit>
void for_each_char(std::string_view text, Visit visit) {
  for (size_t pos = 0; pos < text.size();) {
    const Utf8Step step = utf8_decode(text, pos);
    visit(step.code_point, text.substr(pos, step.n_bytes), pos);
    pos += step.n_bytes;
  }
}

const SpecialCase* special_case(char32_t c) {
  auto it = std::lower_bound(std::begin(kSpecialCases), std::end(kSpecialCases), c,
                             [](const SpecialCase& row, char32_t letter) { return row.letter < letter; });
  return it != std::end(kSpecialCases) && it->letter == c ? &*it : nullptr;
}

void append_upper(std::string& out, char32_t c) {
  if (const SpecialCase* row = special_case(c)) {
    out += row->upper;
  } else {
    utf8_append(out, static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))));
  }
}

void append_title(std::string& out, char32_t c) {
  if (const SpecialCase* row = special_case(c)) {
    out += row->title;
  } else {
    utf8_append(out, static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c))));
  }
}

bool is_cased(char32_t c) { return is_upper(c) || is_lower(c) || is_title(c); }

// Skipped when looking for the letters around a sigma.
bool is_case_ignorable(char32_t c) {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:
      return c == '\'' || c == '.' || c == ':' || c == 0xB7 || c == 0x2019;
  }
}

// The capital sigma becomes the final form after a letter and not before one.
bool is_final_sigma(std::string_view text, size_t pos) {
  size_t start = pos;
  bool after_letter = false;
  while (start > 0) {
    const char32_t c = previous(text, start, &start);
    if (is_case_ignorable(c)) continue;
    after_letter = is_cased(c);
    break;
  }
  if (!after_letter) return false;
  for (size_t next = pos + utf8_decode(text, pos).n_bytes; next < text.size();) {
    const Utf8Step step = utf8_decode(text, next);
    next += step.n_bytes;
    if (!is_case_ignorable(step.code_point)) return !is_cased(step.code_point);
  }
  return true;
}

void append_lower(std::string& out, char32_t c, std::string_view text, size_t pos) {
  constexpr char32_t kCapitalSigma = 0x3A3, kFinalSigma = 0x3C2, kCapitalDottedI = 0x130;
  if (c == kCapitalSigma && is_final_sigma(text, pos)) {
    utf8_append(out, kFinalSigma);
  } else if (c == kCapitalDottedI) {
    out += "i\xCC\x87";
  } else {
    utf8_append(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
  }
}

bool is_line_end(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

}  // namespace

size_t find_text(std::string_view text, std::string_view part) {
  const void* at = memmem(text.data(), text.size(), part.data(), part.size());
  return at == nullptr ? std::string_view::npos : static_cast<size_t>(static_cast<const char*>(at) - text.data());
}

size_t count_chars(std::string_view text) {
  size_t n = 0;
  for (char c : text) n += !is_continuation(c);
  return n;
}

size_t byte_offset(std::string_view text, size_t char_index) {
  size_t pos = 0;
  for (; pos < text.size(); ++pos) {
    if (is_continuation(text[pos])) continue;
    if (char_index-- == 0) break;
  }
  return pos;
}

std::vector<char32_t> code_points(std::string_view text) {
  std::vector<char32_t> out;
  for_each_char(text, [&](char32_t c, std::string_view, size_t) { out.push_back(c); });
  return out;
}

std::vector<std::string_view> characters(std::string_view text) {
  std::vector<std::string_view> out;
  for_each_char(text, [&](char32_t, std::string_view piece, size_t) { out.push_back(piece); });
  return out;
}

bool is_space(char32_t c) {
  if (c < 0x80) return (c >= 9 && c <= 13) || (c >= 28 && c <= 32);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

bool is_printable(char32_t c) {
  if (c < 0x7F) return c >= 0x20;
  switch (category(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return false;
    default:
      return true;
  }
}

bool is_alpha(char32_t c) {
  const auto kind = category(c);
  return kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO;
}

bool is_decimal(char32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; }

bool is_digit(char32_t c) {
  // Superscripts, circled and other digits that are no decimal numbers (Numeric_Type=Digit).
  constexpr char32_t kRanges[][2] = {{0xB2, 0xB3},       {0xB9, 0xB9},       {0x1369, 0x1371},   {0x19DA, 0x19DA},
                                     {0x2070, 0x2070},   {0x2074, 0x2079},   {0x2080, 0x2089},   {0x2460, 0x2468},
                                     {0x2474, 0x247C},   {0x2488, 0x2490},   {0x24EA, 0x24EA},   {0x24F5, 0x24FD},
                                     {0x24FF, 0x24FF},   {0x2776, 0x277E},   {0x2780, 0x2788},   {0x278A, 0x2792},
                                     {0x10A40, 0x10A43}, {0x10E60, 0x10E68}, {0x11052, 0x1105A}, {0x1F100, 0x1F10A}};
  if (is_decimal(c)) return true;
  return std::any_of(std::begin(kRanges), std::end(kRanges), [&](const auto& range) { return c >= range[0] && c <= range[1]; });
}

bool is_alnum(char32_t c) {
  const auto kind = category(c);
  return is_alpha(c) || kind == UTF8PROC_CATEGORY_ND || kind == UTF8PROC_CATEGORY_NL || kind == UTF8PROC_CATEGORY_NO;
}

bool is_upper(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LU; }
bool is_lower(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LL; }
bool is_title(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LT; }

std::string_view strip(std::string_view text, Side side, std::optional<std::string_view> characters_to_strip) {
  std::vector<char32_t> set;
  if (characters_to_strip) {
    set = code_points(*characters_to_strip);
    std::sort(set.begin(), set.end());
  }
  auto strips = [&](char32_t c) { return characters_to_strip ? std::binary_search(set.begin(), set.end(), c) : is_space(c); };
  if (side != Side::kRight) {
    while (!text.empty()) {
      const Utf8Step step = utf8_decode(text, 0);
      if (!strips(step.code_point)) break;
      text.remove_prefix(step.n_bytes);
    }
  }
  if (side != Side::kLeft) {
    while (!text.empty()) {
      size_t start;
      if (!strips(previous(text, text.size(), &start))) break;
      text = text.substr(0, start);
    }
  }
  return text;
}

std::string to_upper(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for_each_char(text, [&](char32_t c, std::string_view, size_t) { append_upper(out, c); });
  return out;
}

std::string to_lower(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for_each_char(text, [&](char32_t c, std::string_view, size_t pos) { append_lower(out, c, text, pos); });
  return out;
}

std::string to_title(std::string_view text) {
  std::string out;
  bool in_word = false;
  for_each_char(text, [&](char32_t c, std::string_view, size_t pos) {
    in_word ? append_lower(out, c, text, pos) : append_title(out, c);
    in_word = is_cased(c);
  });
  return out;
}

std::string capitalized(std::string_view text) {
  std::string out;
  for_each_char(text, [&](char32_t c, std::string_view, size_t pos) {
    pos == 0 ? append_title(out, c) : append_lower(out, c, text, pos);
  });
  return out;
}

std::string swapped_case(std::string_view text) {
  std::string out;
  for_each_char(text, [&](char32_t c, std::string_view piece, size_t pos) {
    if (is_upper(c)) {
      append_lower(out, c, text, pos);
    } else if (is_lower(c)) {
      append_upper(out, c);
    } else {
      out += piece;
    }
  });
  return out;
}

std::string case_folded(std::string_view text) {
  utf8proc_uint8_t* folded = nullptr;
  const auto n = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                              static_cast<utf8proc_ssize_t>(text.size()), &folded, UTF8PROC_CASEFOLD);
  std::string out(reinterpret_cast<char*>(folded), n < 0 ? 0 : static_cast<size_t>(n));
  free(folded);
  return out;
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  size_t start = 0;
  for (size_t pos = 0; pos < text.size();) {
    const Utf8Step step = utf8_decode(text, pos);
    if (!is_line_end(step.code_point)) {
      pos += step.n_bytes;
      continue;
    }
    size_t end = pos + step.n_bytes;
    if (step.code_point == '\r' && end < text.size() && text[end] == '\n') ++end;
    lines.push_back(text.substr(start, (keep_ends ? end : pos) - start));
    pos = start = end;
  }
  if (start < text.size()) lines.push_back(text.substr(start));
  return lines;
}

std::vector<std::string_view> split_space(std::string_view text, int64_t max_splits) {
  std::vector<std::string_view> parts;
  while (true) {
    text = strip(text, Side::kLeft);
    if (text.empty()) return parts;
    if (max_splits >= 0 && static_cast<int64_t>(parts.size()) == max_splits) break;
    size_t end = 0;
    while (end < text.size()) {
      const Utf8Step step = utf8_decode(text, end);
      if (is_space(step.code_point)) break;
      end += step.n_bytes;
    }
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  parts.push_back(text);
  return parts;
}

std::vector<std::string_view> split_space_from_right(std::string_view text, int64_t max_splits) {
  if (max_splits < 0) return split_space(text, -1);
  std::vector<std::string_view> parts;
  while (true) {
    text = strip(text, Side::kRight);
    if (text.empty()) break;
    if (static_cast<int64_t>(parts.size()) == max_splits) {
      parts.push_back(text);
      break;
    }
    size_t start = text.size();
    while (start > 0) {
      size_t before;
      if (is_space(previous(text, start, &before))) break;
      start = before;
    }
    parts.push_back(text.substr(start));
    text = text.substr(0, start);
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separator, int64_t max_splits) {
  std::vector<std::string_view> parts;
  while (max_splits < 0 || static_cast<int64_t>(parts.size()) < max_splits) {
    const size_t at = find_text(text, separator);
    if (at == std::string_view::npos) break;
    parts.push_back(text.substr(0, at));
    text.remove_prefix(at + separator.size());
  }
  parts.push_back(text);
  return parts;
}

std::vector<std::string_view> split_from_right(std::string_view text, std::string_view separator, int64_t max_splits) {
  std::vector<std::string_view> parts;
  while (max_splits < 0 || static_cast<int64_t>(parts.size()) < max_splits) {
    const size_t at = text.rfind(separator);
    if (at == std::string_view::npos) break;
    parts.push_back(text.substr(at + separator.size()));
    text = text.substr(0, at);
  }
  parts.push_back(text);
  std::reverse(parts.begin(), parts.end());
  return parts;
}

size_t count_occurrences(std::string_view text, std::string_view part) {
  if (part.empty()) return count_chars(text) + 1;
  size_t n = 0;
  for (size_t at = find_text(text, part); at != std::string_view::npos; at = find_text(text, part)) {
    ++n;
    text.remove_prefix(at + part.size());
  }
  return n;
}

std::string replaced(std::string_view text, std::string_view from, std::string_view to, int64_t max_count) {
  std::string out;
  auto may_replace = [&] { return max_count != 0; };
  if (from.empty()) {
    for_each_char(text, [&](char32_t, std::string_view piece, size_t) {
      if (may_replace()) out += to, --max_count;
      out += piece;
    });
    if (may_replace()) out += to;
    return out;
  }
  while (may_replace()) {
    const size_t at = find_text(text, from);
    if (at == std::string_view::npos) break;
    out.append(text.substr(0, at)).append(to);
    text.remove_prefix(at + from.size());
    --max_count;
  }
  return out.append(text);
}

}  // namespace minke::jinja
