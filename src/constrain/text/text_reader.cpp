#include "constrain/text/text_reader.h"

#include <array>
#include <optional>

#include "base/utf8.h"

namespace minke::constrain {
namespace {

constexpr int64_t kMaxBound = 1'000'000;

// \s of ECMA-262: white space and line ends.
CodePointSet white_space() {
  return {{0x09, 0x0D},     {0x20, 0x20},     {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
          {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
}

std::optional<CodePointSet> class_escape(char32_t letter) {
  const CodePointSet digits{{'0', '9'}};
  const CodePointSet word{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
  switch (letter) {
    case 'd':
      return digits;
    case 'D':
      return digits.complement();
    case 'w':
      return word;
    case 'W':
      return word.complement();
    case 's':
      return white_space();
    case 'S':
      return white_space().complement();
    default:
      return std::nullopt;
  }
}

std::optional<char32_t> control_escape(char32_t letter) {
  switch (letter) {
    case 't':
      return U'\t';
    case 'n':
      return U'\n';
    case 'r':
      return U'\r';
    case 'f':
      return U'\f';
    case 'v':
      return U'\v';
    case '0':
      return U'\0';
    default:
      return std::nullopt;
  }
}

bool is_single(const CodePointSet& set) { return set.ranges().size() == 1 && set.ranges()[0].first == set.ranges()[0].last; }

bool is_alphanumeric(char32_t c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

}  // namespace

char32_t TextReader::peek() const { return at_end() ? 0 : utf8_decode(text_, position_).code_point; }

char32_t TextReader::take() {
  if (at_end()) return 0;
  Utf8Step step = utf8_decode(text_, position_);
  position_ += step.n_bytes;
  return step.code_point;
}

bool TextReader::take_if(std::string_view expected) {
  if (text_.substr(position_, expected.size()) != expected) return false;
  position_ += expected.size();
  return true;
}

Result<char32_t> TextReader::take_hex(int n_digits) {
  char32_t value = 0;
  for (int i = 0; i < n_digits; i++) {
    char32_t c = peek();
    bool is_digit = c >= '0' && c <= '9', is_letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'f';
    if (!is_digit && !is_letter) return fail("expected {} hexadecimal digits", n_digits);
    value = value * 16 + (is_digit ? c - '0' : (c | 0x20) - 'a' + 10);
    take();
  }
  return value;
}

// After "\u": four digits, a pair of surrogates so written, or {digits}.
Result<char32_t> TextReader::take_unicode_escape() {
  char32_t value = 0;
  if (take_if("{")) {
    while (!take_if("}")) {
      value = value * 16 + TRY(take_hex(1));
      if (value > kMaxCodePoint) return fail("a code point past U+10FFFF");
    }
    return value;
  }
  value = TRY(take_hex(4));
  if (value >= 0xD800 && value <= 0xDBFF && take_if("\\u")) {
    char32_t low = TRY(take_hex(4));
    if (low < 0xDC00 || low > 0xDFFF) return fail("half a surrogate pair");
    value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
  }
  if (value >= 0xD800 && value <= 0xDFFF) return fail("half a surrogate pair");
  return value;
}

Result<CodePointSet> TextReader::take_escape() {
  if (at_end()) return fail("a backslash with nothing behind it");
  char32_t letter = take();
  if (auto set = class_escape(letter)) return *set;
  if (letter == '0' && peek() >= '0' && peek() <= '9') return fail("octal escapes are not supported; write \\x..");
  char32_t value = letter;
  if (auto control = control_escape(letter)) {
    value = *control;
  } else if (letter == 'x') {
    value = TRY(take_hex(2));
  } else if (letter == 'u') {
    value = TRY(take_unicode_escape());
  } else if (is_alphanumeric(letter)) {
    const char* what = letter >= '1' && letter <= '9' ? "back references" : "this escape";
    if (letter == 'b' || letter == 'B') what = "word boundaries";
    if (letter == 'p' || letter == 'P') what = "Unicode properties";
    return fail("\\{}: {} cannot be compiled", static_cast<char>(letter), what);
  }
  return CodePointSet{{value, value}};
}

Result<CodePointSet> TextReader::take_class() {
  bool is_negated = take_if("^");
  CodePointSet set;
  while (!take_if("]")) {
    if (at_end()) return fail("a character class without its ]");
    auto item = [&]() -> Result<CodePointSet> {
      if (take_if("\\")) return peek() == 'b' ? (take(), CodePointSet{{8, 8}}) : take_escape();
      char32_t c = take();
      return CodePointSet{{c, c}};
    };
    CodePointSet first = TRY(item());
    bool is_range = peek() == '-' && text_.substr(position_).size() > 1 && text_[position_ + 1] != ']';
    if (!is_range) {
      set.add(first);
      continue;
    }
    take();
    CodePointSet last = TRY(item());
    if (!is_single(first) || !is_single(last)) return fail("a range from or to a class");
    char32_t low = first.ranges()[0].first, high = last.ranges()[0].first;
    if (low > high) return fail("a range whose end is before its start");
    set.add(low, high);
  }
  return is_negated ? set.complement() : set;
}

Result<TextReader::Bounds> TextReader::take_bounds() {
  auto number = [&]() -> Result<int64_t> {
    if (peek() < '0' || peek() > '9') return fail("expected a number of repeats; write \\{{ for the character itself");
    int64_t value = 0;
    while (peek() >= '0' && peek() <= '9') {
      value = value * 10 + static_cast<int64_t>(take() - '0');
      if (value > kMaxBound) return fail("more than {} repeats", kMaxBound);
    }
    return value;
  };
  Bounds bounds{};
  bounds.min = bounds.max = TRY(number());
  if (take_if(",")) bounds.max = peek() == '}' ? int64_t{-1} : TRY(number());
  if (!take_if("}")) return fail("expected }} after the bounds");
  if (bounds.max >= 0 && bounds.max < bounds.min) return fail("at least {} and at most {} repeats", bounds.min, bounds.max);
  return bounds;
}

}  // namespace minke::constrain
