// The lexical grammar of Jinja 3.1 (template designer documentation: "Whitespace Control", "Escaping", "Literals").
//   {% %} statements   {{ }} output   {# #} comments   {% raw %} ... {% endraw %}
//   "-" beside a delimiter strips all white space on that side, "+" switches trimming off
//   trim_blocks: the newline after a block or comment goes; lstrip_blocks: blanks from the line start to a block or comment go
#include "jinja/syntax/lexer.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/utf8.h"
#include "jinja/value/text.h"

namespace minke::jinja {

namespace {


// \r\n and \r become \n, and one newline at the end goes.
std::string normalized(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
      continue;
    }
    out += '\n';
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

std::optional<unsigned> digit_value(char c, unsigned base) {
  unsigned value = 99;
  if (is_ascii_digit(c)) value = static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'z') value = static_cast<unsigned>(c - 'a') + 10;
  if (c >= 'A' && c <= 'Z') value = static_cast<unsigned>(c - 'A') + 10;
  if (value >= base) return std::nullopt;
  return value;
}

// Length of digits that may be separated by single underscores: 1_000.
size_t digits_length(std::string_view text, unsigned base) {
  size_t n = 0;
  while (n < text.size()) {
    if (digit_value(text[n], base)) {
      ++n;
    } else if (text[n] == '_' && n > 0 && n + 1 < text.size() && digit_value(text[n + 1], base) && text[n - 1] != '_') {
      ++n;
    } else {
      break;
    }
  }
  return n;
}

bool is_name_char(char32_t c) { return c == '_' || is_alnum(c); }

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(normalized(source)), rest_(source_) {}

  Result<std::vector<Token>> run() {
    while (!rest_.empty()) TRY(next_section());
    push(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  template <typename... Args>
  tl::unexpected<Error> fail(fmt::format_string<Args...> format, Args&&... args) {
    return error("template line {}: {}", line_, fmt::format(format, std::forward<Args>(args)...));
  }

  void push(TokenKind kind, std::string_view text) { tokens_.push_back({kind, line_, std::string(text)}); }

  // Moves past n bytes and counts their lines. at_line_start_ speaks of the last section, as lstrip_blocks needs it.
  void skip(size_t n) {
    const auto passed = rest_.substr(0, n);
    line_ += static_cast<int>(std::count(passed.begin(), passed.end(), '\n'));
    if (n > 0) at_line_start_ = passed.back() == '\n';
    rest_.remove_prefix(n);
  }

  void skip_space() { skip(rest_.size() - strip(rest_, Side::kLeft).size()); }

  // Text before a tag, after the white space control of that tag.
  std::string_view text_before_tag(std::string_view text, char sign, bool is_output) const {
    if (sign == '-') return strip(text, Side::kRight);
    if (sign == '+' || is_output) return text;
    const size_t newline = text.rfind('\n');
    const size_t line_start = newline == std::string_view::npos ? 0 : newline + 1;
    if (line_start == 0 && !at_line_start_) return text;
    return strip(text.substr(line_start), Side::kLeft).empty() ? text.substr(0, line_start) : text;
  }

  // After the closing delimiter of a block or comment.
  void trim_after(char sign) {
    if (sign == '-') {
      skip_space();
    } else if (sign != '+' && rest_.starts_with('\n')) {
      skip(1);
    }
  }

  // The position of the next tag; npos without one.
  size_t find_tag() const {
    for (size_t at = rest_.find('{'); at != std::string_view::npos; at = rest_.find('{', at + 1)) {
      if (at + 1 < rest_.size() && (rest_[at + 1] == '{' || rest_[at + 1] == '%' || rest_[at + 1] == '#')) return at;
    }
    return std::string_view::npos;
  }

  // Text up to the next tag, and that tag.
  Status next_section() {
    const size_t at = find_tag();
    if (at == std::string_view::npos) {
      push(TokenKind::kText, rest_);
      skip(rest_.size());
      return {};
    }
    const char type = rest_[at + 1];
    char sign = at + 2 < rest_.size() ? rest_[at + 2] : '\0';
    if (sign != '-' && sign != '+') sign = '\0';
    const std::string_view text = text_before_tag(rest_.substr(0, at), sign, type == '{');
    if (!text.empty()) push(TokenKind::kText, text);
    skip(at + 2 + (sign != '\0'));
    if (type == '#') return comment();
    if (type == '{') {
      push(TokenKind::kOutputBegin, "{{");
      return expression("}}", TokenKind::kOutputEnd);
    }
    if (auto n = raw_tag_length("raw")) return raw(*n);
    push(TokenKind::kBlockBegin, "{%");
    return expression("%}", TokenKind::kBlockEnd);
  }

  Status comment() {
    const size_t end = rest_.find("#}");
    if (end == std::string_view::npos) return fail("a comment is not closed with #}}");
    const char sign = end > 0 ? rest_[end - 1] : '\0';
    skip(end + 2);
    trim_after(sign);
    return {};
  }

  // After "{%" and its sign: the length of " raw %}", its sign not counted in; none when it is another tag.
  std::optional<size_t> raw_tag_length(std::string_view word) const {
    std::string_view text = strip(rest_, Side::kLeft);
    if (!text.starts_with(word)) return std::nullopt;
    text = strip(text.substr(word.size()), Side::kLeft);
    for (std::string_view end : {"%}", "-%}", "+%}"}) {
      if (end[0] == '+' && word == "raw") continue;
      if (text.starts_with(end)) return rest_.size() - text.size() + end.size();
    }
    return std::nullopt;
  }

  Status raw(size_t tag_length) {
    const bool strips = rest_[tag_length - 3] == '-';
    skip(tag_length);
    if (strips) skip_space();
    const std::string_view all = rest_;
    for (size_t at = all.find("{%"); at != std::string_view::npos; at = all.find("{%", at + 2)) {
      rest_ = all.substr(at + 2);
      char sign = rest_.empty() ? '\0' : rest_[0];
      if (sign != '-' && sign != '+') sign = '\0';
      if (sign != '\0') rest_.remove_prefix(1);
      const auto end_length = raw_tag_length("endraw");
      rest_ = all;
      if (!end_length) continue;
      const std::string_view text = text_before_tag(all.substr(0, at), sign, false);
      if (!text.empty()) push(TokenKind::kText, text);
      const size_t total = at + 2 + (sign != '\0') + *end_length;
      const char end_sign = all[total - 3];
      skip(total);
      trim_after(end_sign);
      return {};
    }
    return fail("a raw block is not closed with {{% endraw %}}");
  }

  // Tokens up to the end of a tag. Inside brackets an end delimiter is only its characters: {{ {'a': {}} }}.
  Status expression(std::string_view end, TokenKind end_kind) {
    std::string brackets;  // closing brackets that are awaited
    while (true) {
      if (rest_.empty()) return fail("a tag is not closed with {}", end);
      if (brackets.empty()) {
        const char sign = rest_[0];
        const bool has_sign = sign == '-' || (sign == '+' && end_kind == TokenKind::kBlockEnd);
        if (rest_.substr(has_sign).starts_with(end)) {
          push(end_kind, end);
          skip(has_sign + end.size());
          if (end_kind == TokenKind::kBlockEnd) {
            trim_after(sign);
          } else if (sign == '-') {
            skip_space();
          }
          return {};
        }
      }
      TRY(token(brackets));
    }
  }

  Status token(std::string& brackets) {
    const Utf8Step first = utf8_decode(rest_, 0);
    if (is_space(first.code_point)) {
      skip_space();
      return {};
    }
    if (number()) return {};
    if (is_name_char(first.code_point)) return name();
    if (rest_[0] == '\'' || rest_[0] == '"') return string_literal();
    return operator_token(brackets);
  }

  bool number() {
    const bool after_dot = rest_.data() > source_.data() && *(rest_.data() - 1) == '.';  // x.0.1 is no float
    size_t n = after_dot ? 0 : float_length();
    TokenKind kind = TokenKind::kFloat;
    if (n == 0) {
      n = integer_length();
      kind = TokenKind::kInteger;
    }
    if (n == 0) return false;
    std::string text(rest_.substr(0, n));
    std::erase(text, '_');
    push(kind, text);
    skip(n);
    return true;
  }

  // 1.5, 1e5, 1.5e-3; 0 when there is none.
  size_t float_length() const {
    size_t n = digits_length(rest_, 10);
    if (n == 0) return 0;
    bool is_float = false;
    if (n < rest_.size() && rest_[n] == '.') {
      if (const size_t fraction = digits_length(rest_.substr(n + 1), 10)) {
        n += 1 + fraction;
        is_float = true;
      }
    }
    if (n < rest_.size() && (rest_[n] == 'e' || rest_[n] == 'E')) {
      size_t exponent = n + 1;
      if (exponent < rest_.size() && (rest_[exponent] == '+' || rest_[exponent] == '-')) ++exponent;
      if (const size_t digits = digits_length(rest_.substr(std::min(exponent, rest_.size())), 10)) return exponent + digits;
    }
    return is_float ? n : 0;
  }

  size_t integer_length() const {
    if (rest_.size() > 2 && rest_[0] == '0') {
      const char mark = static_cast<char>(rest_[1] | 0x20);
      const unsigned base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
      const size_t underscore = rest_[2] == '_';
      if (base != 0) {
        if (const size_t digits = digits_length(rest_.substr(2 + underscore), base)) return 2 + underscore + digits;
      }
    }
    if (rest_[0] != '0') return digits_length(rest_, 10);
    size_t n = 1;  // only zeros may follow a zero
    while (n < rest_.size() && (rest_[n] == '0' || (rest_[n] == '_' && n + 1 < rest_.size() && rest_[n + 1] == '0'))) ++n;
    return n;
  }

  Status name() {
    size_t n = 0;
    while (n < rest_.size()) {
      const Utf8Step step = utf8_decode(rest_, n);
      if (!is_name_char(step.code_point)) break;
      n += step.n_bytes;
    }
    push(TokenKind::kName, rest_.substr(0, n));
    skip(n);
    return {};
  }

  Status string_literal() {
    size_t end = 1;
    while (end < rest_.size() && rest_[end] != rest_[0]) end += rest_[end] == '\\' ? 2 : 1;
    if (end >= rest_.size()) return fail("a string is not closed");
    auto value = unescape(rest_.substr(1, end - 1));
    if (!value) return fail("{}", value.error().message);
    push(TokenKind::kString, *value);
    skip(end + 1);
    return {};
  }

  Status operator_token(std::string& brackets) {
    // Longest first.
    constexpr std::array<std::string_view, 26> kOperators = {"==", "!=", "<=", ">=", "//", "**", "+", "-", "/",
                                                             "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                                             ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};
    const auto it = std::find_if(kOperators.begin(), kOperators.end(), [&](auto op) { return rest_.starts_with(op); });
    if (it == kOperators.end()) return fail("unexpected character '{}'", characters(rest_.substr(0, 4)).front());
    const char c = it->front();
    if (c == '(' || c == '[' || c == '{') {
      brackets += c == '(' ? ')' : c == '[' ? ']' : '}';
    } else if (c == ')' || c == ']' || c == '}') {
      if (brackets.empty()) return fail("unexpected '{}'", c);
      if (brackets.back() != c) return fail("unexpected '{}', expected '{}'", c, brackets.back());
      brackets.pop_back();
    }
    push(TokenKind::kOperator, *it);
    skip(it->size());
    return {};
  }

  // The escapes of a Python string literal.
  static Result<std::string> unescape(std::string_view text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\' || i + 1 == text.size()) {
        out += text[i];
        continue;
      }
      const char c = text[++i];
      constexpr std::string_view kLetters = "\\'\"abfnrtv", kMeanings = "\\'\"\a\b\f\n\r\t\v";
      if (const size_t at = kLetters.find(c); at != std::string_view::npos) {
        out += kMeanings[at];
      } else if (c == 'x' || c == 'u' || c == 'U') {
        const size_t n_digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        utf8_append(out, TRY(code_point_escape(text.substr(i + 1), n_digits, 16)));
        i += n_digits;
      } else if (digit_value(c, 8)) {
        size_t n_digits = 1;
        while (n_digits < 3 && i + n_digits < text.size() && digit_value(text[i + n_digits], 8)) ++n_digits;
        utf8_append(out, TRY(code_point_escape(text.substr(i), n_digits, 8)));
        i += n_digits - 1;
      } else if (c == 'N') {
        return error("\\N{{...}} in a string is not supported");
      } else if (c != '\n') {
        out.append({'\\', c});
      }
    }
    return out;
  }

  static Result<char32_t> code_point_escape(std::string_view digits, size_t n_digits, unsigned base) {
    uint64_t value = 0;
    for (size_t i = 0; i < n_digits; ++i) {
      const auto digit = i < digits.size() ? digit_value(digits[i], base) : std::nullopt;
      if (!digit) return error("a character escape in a string is cut short");
      value = value * base + *digit;
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return error("U+{:04X} in a string is no character", value);
    return static_cast<char32_t>(value);
  }

  std::string source_;
  std::string_view rest_;
  int line_ = 1;
  bool at_line_start_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

Result<std::vector<Token>> tokenize(std::string_view source) { return Lexer(source).run(); }

}  // namespace minke::jinja
