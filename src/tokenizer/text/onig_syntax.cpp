#include "tokenizer/text/onig_syntax.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "base/utf8.h"

namespace minke {
namespace {

// White_Space of Unicode. PCRE2's \s has U+180E besides. The list ends with a range, so that a hyphen after \s in a class
// stays a hyphen.
constexpr std::string_view kSpaceItems =
    "\\t-\\r \\x{85}\\x{A0}\\x{1680}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}\\x{2000}-\\x{200A}";
constexpr std::string_view kNotSpaceItems =
    "\\x{00}-\\x{08}\\x{0E}-\\x{1F}\\x{21}-\\x{84}\\x{86}-\\x{9F}\\x{A1}-\\x{167F}\\x{1681}-\\x{1FFF}\\x{200B}-\\x{2027}"
    "\\x{202A}-\\x{202E}\\x{2030}-\\x{205E}\\x{2060}-\\x{2FFF}\\x{3001}-\\x{D7FF}\\x{E000}-\\x{10FFFF}";
// Word characters of Oniguruma. PCRE2's \w lacks marks and connector punctuation.
constexpr std::string_view kWordItems = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";

constexpr std::array kCategories = {"C",  "Cc", "Cf", "Cn", "Co", "Cs", "L",  "Ll", "Lm", "Lo", "Lt", "Lu", "M",
                                    "Mc", "Me", "Mn", "N",  "Nd", "Nl", "No", "P",  "Pc", "Pd", "Pe", "Pf", "Pi",
                                    "Po", "Ps", "S",  "Sc", "Sk", "Sm", "So", "Z",  "Zl", "Zp", "Zs"};
constexpr std::array<std::pair<const char*, const char*>, 7> kLongCategories = {{{"Letter", "L"},
                                                                                 {"Mark", "M"},
                                                                                 {"Number", "N"},
                                                                                 {"Punctuation", "P"},
                                                                                 {"Symbol", "S"},
                                                                                 {"Separator", "Z"},
                                                                                 {"Other", "C"}}};

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

class Translator {
 public:
  explicit Translator(std::string_view pattern) : in_(pattern) {}

  Result<std::string> run() {
    while (pos_ < in_.size()) TRY(element());
    if (!groups_.empty()) return error("regex: a group is not closed");
    return std::move(out_);
  }

 private:
  // One side of && in a class.
  struct Operand {
    bool negated = false;
    std::string items;
  };

  bool at(std::string_view text) const { return in_.substr(pos_, text.size()) == text; }
  tl::unexpected<Error> unsupported(size_t from, size_t to) const {
    return error("regex: \"{}\" at byte {} is not supported", in_.substr(from, to - from), from);
  }
  void literal_atom() {
    atom_ = out_.size();
    size_t n = utf8_decode(in_, pos_).n_bytes;
    out_.append(in_, pos_, n);
    pos_ += n;
  }

  Status element() {
    switch (in_[pos_]) {
      case '\\': {
        atom_ = out_.size();
        std::string escape = TRY(escape_outside_class());
        out_ += escape;
        return {};
      }
      case '[': {
        size_t start = pos_++;
        atom_ = out_.size();
        std::string expression = TRY(char_class(start));
        out_ += expression;
        return {};
      }
      case '(':
        return open_group();
      case ')':
        if (groups_.empty()) return error("regex: unmatched ) at byte {}", pos_);
        atom_ = groups_.back();
        groups_.pop_back();
        out_ += ')';
        pos_++;
        return {};
      case '{':
        return interval();
      case '*':
      case '+':
      case '?':
      case '|':
      case '^':
      case '$':
        out_ += in_[pos_++];
        return {};
      default:
        literal_atom();
        return {};
    }
  }

  Status open_group() {
    groups_.push_back(out_.size());
    if (!at("(?")) {  // captures are of no use here
      out_ += "(?:";
      pos_ += 1;
      return {};
    }
    for (std::string_view plain : {"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!"}) {
      if (at(plain)) {
        out_ += plain;
        pos_ += plain.size();
        return {};
      }
    }
    size_t start = pos_;
    std::string flags = "(?";
    for (pos_ += 2; pos_ < in_.size(); pos_++) {
      char c = in_[pos_];
      if (c == 'i' || c == '-') {
        flags += c;
      } else if (c == 'm') {
        flags += 's';  // Ruby's m: the dot matches newlines
      } else {
        break;
      }
    }
    // In the middle of a pattern Ruby's "(?i)" also regroups the alternatives after it; at the start the two agree.
    bool whole_pattern = pos_ < in_.size() && in_[pos_] == ')' && start == 0;
    if (whole_pattern) groups_.pop_back();
    if (!whole_pattern && (pos_ >= in_.size() || in_[pos_] != ':')) return unsupported(start, std::min(pos_ + 1, in_.size()));
    out_ += flags;
    out_ += in_[pos_++];
    return {};
  }

  // {n} {n,} {n,m} {,m}. In Ruby a + after it repeats the whole, and a ? after {n} makes it optional.
  Status interval() {
    size_t i = pos_ + 1;
    std::string low, high;
    while (i < in_.size() && is_ascii_digit(in_[i])) low += in_[i++];
    bool comma = i < in_.size() && in_[i] == ',';
    if (comma) i++;
    while (comma && i < in_.size() && is_ascii_digit(in_[i])) high += in_[i++];
    if (i >= in_.size() || in_[i] != '}' || (low.empty() && high.empty())) {
      atom_ = out_.size();
      out_ += "\\{";
      pos_++;
      return {};
    }
    size_t start = pos_;
    pos_ = i + 1;
    if (!atom_) return unsupported(start, pos_);
    out_ += fmt::format("{{{}{}{}}}", low.empty() ? "0" : low, comma ? "," : "", high);
    bool plus = pos_ < in_.size() && in_[pos_] == '+';
    bool optional = pos_ < in_.size() && in_[pos_] == '?' && !comma;
    if (plus || optional) {
      out_.insert(*atom_, "(?:");
      out_ += ')';
      out_ += in_[pos_++];
    }
    return {};
  }

  Result<std::string> escape_outside_class() {
    size_t start = pos_;
    char c = pos_ + 1 < in_.size() ? in_[pos_ + 1] : '\0';
    auto take = [&](std::string text) {
      pos_ += 2;
      return text;
    };
    switch (c) {
      case 's':
        return take(fmt::format("[{}]", kSpaceItems));
      case 'S':
        return take(fmt::format("[^{}]", kSpaceItems));
      case 'w':
        return take(fmt::format("[{}]", kWordItems));
      case 'W':
        return take(fmt::format("[^{}]", kWordItems));
      case 'h':
        return take("[0-9A-Fa-f]");
      case 'A':
      case 'z':
      case 'Z':
        return take(std::string("\\") + c);
      default:
        break;
    }
    std::optional<std::string> shared = TRY(shared_escape());
    if (!shared) return unsupported(start, std::min(start + 2, in_.size()));
    return std::move(*shared);
  }

  // Escapes that read the same inside and outside a class; none when the escape is not one of them.
  Result<std::optional<std::string>> shared_escape() {
    size_t start = pos_;
    if (pos_ + 1 >= in_.size()) return unsupported(start, in_.size());
    char c = in_[pos_ + 1];
    if (c == 'p' || c == 'P') return TRY(property());
    if (c == 'x' || c == 'u') return TRY(code_point());
    pos_ += 2;
    if (c == 'd') return "\\p{Nd}";
    if (c == 'D') return "\\P{Nd}";
    if (c == 'v') return "\\x{0B}";
    if (std::string_view("rntfae").find(c) != std::string_view::npos) return std::string("\\") + c;
    if (is_ascii_letter(c) || is_ascii_digit(c)) {
      pos_ = start;
      return std::nullopt;
    }
    if (static_cast<uint8_t>(c) < 0x80) return std::string("\\") + c;
    pos_ = start + 1;
    size_t n = utf8_decode(in_, pos_).n_bytes;
    pos_ += n;
    return std::string(in_.substr(pos_ - n, n));
  }

  Result<std::string> property() {
    size_t start = pos_;
    bool negated = in_[pos_ + 1] == 'P';
    size_t close = in_.find('}', pos_);
    if (pos_ + 2 >= in_.size() || in_[pos_ + 2] != '{' || close == std::string_view::npos) {
      return unsupported(start, std::min(start + 3, in_.size()));
    }
    std::string name(in_.substr(pos_ + 3, close - pos_ - 3));
    pos_ = close + 1;
    if (name.starts_with('^')) {
      negated = !negated;
      name.erase(0, 1);
    }
    for (const auto& [long_name, short_name] : kLongCategories) {
      if (name == long_name) name = short_name;
    }
    if (name.empty() || !std::all_of(name.begin(), name.end(), [](char c) { return is_ascii_letter(c) || c == '_'; })) {
      return unsupported(start, pos_);
    }
    bool category = std::find(kCategories.begin(), kCategories.end(), name) != kCategories.end();
    // Oniguruma means the Script property; a bare script name in PCRE2 means Script_Extensions. Names that are no script
    // are refused when PCRE2 compiles them.
    return fmt::format("\\{}{{{}{}}}", negated ? 'P' : 'p', category ? "" : "sc:", name);
  }

  // \xHH below 0x80, \x{H...}, \uHHHH
  Result<std::string> code_point() {
    size_t start = pos_;
    bool brace = in_[pos_ + 1] == 'x' && pos_ + 2 < in_.size() && in_[pos_ + 2] == '{';
    size_t max_digits = brace ? 8 : in_[pos_ + 1] == 'u' ? 4 : 2;
    size_t i = pos_ + (brace ? 3 : 2);
    std::string digits;
    while (i < in_.size() && digits.size() < max_digits && is_hex(in_[i])) digits += in_[i++];
    bool complete = brace ? (!digits.empty() && i < in_.size() && in_[i] == '}') : digits.size() == max_digits;
    if (!complete || (max_digits == 2 && digits[0] >= '8')) return unsupported(start, i);
    pos_ = i + (brace ? 1 : 0);
    return fmt::format("\\x{{{}}}", digits);
  }

  // After the '['. Intersections become look-aheads, as PCRE2 has none.
  Result<std::string> char_class(size_t start) {
    bool negated = in_.substr(pos_, 1) == "^";
    if (negated) pos_++;
    std::vector<Operand> operands = TRY(class_operands(start));
    if (operands.size() == 1 && !operands[0].negated) return fmt::format("[{}{}]", negated ? "^" : "", operands[0].items);
    if (negated) return unsupported(start, pos_);
    std::string out = "(?:";
    for (size_t i = 1; i < operands.size(); i++)
      out += fmt::format("(?{}[{}])", operands[i].negated ? '!' : '=', operands[i].items);
    return out + fmt::format("[{}{}])", operands[0].negated ? "^" : "", operands[0].items);
  }

  // Up to and with the ']'.
  Result<std::vector<Operand>> class_operands(size_t start) {
    std::vector<Operand> operands(1);
    for (bool first = true;; first = false) {
      if (pos_ >= in_.size()) return error("regex: a class is not closed");
      Operand& current = operands.back();
      if (in_[pos_] == ']' && !first) {
        pos_++;
        if (current.items.empty()) return unsupported(start, pos_);
        return operands;
      }
      if (current.negated && !at("&&")) return unsupported(start, pos_ + 1);  // a nested [^...] beside other items
      if (at("&&")) {
        if (current.items.empty()) return unsupported(start, pos_ + 2);
        operands.emplace_back();
        pos_ += 2;
      } else if (in_[pos_] == '[') {
        TRY(nested_class(current));
      } else if (in_[pos_] == '\\') {
        current.items += TRY(escape_in_class());
      } else {
        if (in_[pos_] == ']') current.items += '\\';
        size_t n = utf8_decode(in_, pos_).n_bytes;
        current.items.append(in_, pos_, n);
        pos_ += n;
      }
    }
  }

  Status nested_class(Operand& into) {
    size_t start = pos_++;
    if (at(":")) return unsupported(start, pos_ + 1);
    bool negated = at("^");
    if (negated) pos_++;
    if (++depth_ > kMaxDepth) return error("regex: classes are nested deeper than {}", kMaxDepth);
    std::vector<Operand> inner = TRY(class_operands(start));
    depth_--;
    if (inner.size() != 1 || inner[0].negated || (negated && !into.items.empty())) return unsupported(start, pos_);
    into.items += inner[0].items;
    into.negated = negated;
    return {};
  }

  Result<std::string> escape_in_class() {
    size_t start = pos_;
    char c = pos_ + 1 < in_.size() ? in_[pos_ + 1] : '\0';
    auto take = [&](std::string_view text) {
      pos_ += 2;
      return std::string(text);
    };
    switch (c) {
      case 's':
        return take(kSpaceItems);
      case 'S':
        return take(kNotSpaceItems);
      case 'w':
        return take(kWordItems);
      case 'h':
        return take("0-9A-Fa-f");
      case 'b':
        return take("\\x{08}");
      default:
        break;
    }
    std::optional<std::string> shared = TRY(shared_escape());
    if (!shared) return unsupported(start, std::min(start + 2, in_.size()));
    return std::move(*shared);
  }

  static constexpr int kMaxDepth = 16;
  std::string_view in_;
  size_t pos_ = 0;
  std::string out_;
  std::optional<size_t> atom_;  // where the last thing that can be repeated starts in out_
  std::vector<size_t> groups_;  // where open groups start in out_
  int depth_ = 0;
};

}  // namespace

Result<std::string> pcre2_from_oniguruma(std::string_view pattern) { return Translator(pattern).run(); }

}  // namespace minke
