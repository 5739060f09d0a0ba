#include "tasks/compare/clean.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/utf8.h"

namespace minke::compare {
namespace {

using Spelling = std::pair<std::string_view, std::string_view>;

constexpr std::array kCommands = {Spelling{"cdot", "*"},
                                  Spelling{"times", "*"},
                                  Spelling{"ast", "*"},
                                  Spelling{"div", "/"},
                                  Spelling{"le", "\x0e"},
                                  Spelling{"leq", "\x0e"},
                                  Spelling{"leqslant", "\x0e"},
                                  Spelling{"ge", "\x0f"},
                                  Spelling{"geq", "\x0f"},
                                  Spelling{"geqslant", "\x0f"},
                                  Spelling{"lt", "<"},
                                  Spelling{"gt", ">"},
                                  Spelling{"pm", "\x03"},
                                  Spelling{"mp", "\x04"},
                                  Spelling{"cup", "\x05"},
                                  Spelling{"infty", "\x06"},
                                  Spelling{"pi", "\x13"},
                                  Spelling{"degree", "\x07"},
                                  Spelling{"degrees", "\x07"},
                                  Spelling{"in", "\x10"},
                                  Spelling{"lbrace", "\x01"},
                                  Spelling{"rbrace", "\x02"},
                                  Spelling{"{", "\x01"},
                                  Spelling{"}", "\x02"},
                                  Spelling{"%", "%"},
                                  Spelling{"$", "\x08"},
                                  Spelling{"&", "\\&"},
                                  Spelling{"\\", "\\\\"},
                                  Spelling{"mid", "|"},
                                  Spelling{"vert", "|"},
                                  Spelling{"lvert", "|"},
                                  Spelling{"rvert", "|"},
                                  Spelling{"dfrac", "\\frac"},
                                  Spelling{"tfrac", "\\frac"},
                                  Spelling{"cfrac", "\\frac"},
                                  Spelling{"colon", ":"},
                                  Spelling{",", " "},
                                  Spelling{";", " "},
                                  Spelling{":", " "},
                                  Spelling{" ", " "},
                                  Spelling{"quad", " "},
                                  Spelling{"qquad", " "},
                                  Spelling{"left", ""},
                                  Spelling{"right", ""},
                                  Spelling{"big", ""},
                                  Spelling{"Big", ""},
                                  Spelling{"bigl", ""},
                                  Spelling{"bigr", ""},
                                  Spelling{"displaystyle", ""},
                                  Spelling{"textstyle", ""},
                                  Spelling{"boxed", ""},
                                  Spelling{"(", ""},
                                  Spelling{")", ""},
                                  Spelling{"[", ""},
                                  Spelling{"]", ""}};

constexpr std::array<std::string_view, 10> kTextCommands = {"text",       "mbox",   "textrm", "textbf", "textit",
                                                            "textnormal", "mathrm", "mathbf", "mathit", "operatorname"};

constexpr std::array kCharacters = {Spelling{"×", "*"},
                                    Spelling{"·", "*"},
                                    Spelling{"∙", "*"},
                                    Spelling{"⋅", "*"},
                                    Spelling{"÷", "/"},
                                    Spelling{"−", "-"},
                                    Spelling{"–", "-"},
                                    Spelling{"≤", "\x0e"},
                                    Spelling{"≥", "\x0f"},
                                    Spelling{"π", "\x13"},
                                    Spelling{"∞", "\x06"},
                                    Spelling{"∪", "\x05"},
                                    Spelling{"±", "\x03"},
                                    Spelling{"∓", "\x04"},
                                    Spelling{"°", "\x07"},
                                    Spelling{"√", "\\sqrt"},
                                    Spelling{"²", "^2"},
                                    Spelling{"³", "^3"},
                                    Spelling{"∈", "\x10"},
                                    Spelling{"₩", "won "},
                                    Spelling{"½", "\\frac{1}{2}"},
                                    Spelling{"¼", "\\frac{1}{4}"},
                                    Spelling{"¾", "\\frac{3}{4}"},
                                    Spelling{"θ", "\\theta"},
                                    Spelling{"α", "\\alpha"},
                                    Spelling{"β", "\\beta"},
                                    Spelling{"\u00a0", " "},
                                    Spelling{"\u3000", " "},
                                    Spelling{"\u2009", " "},
                                    Spelling{"\u202f", " "}};

const std::string_view* find(std::span<const Spelling> table, std::string_view key) {
  auto found = std::find_if(table.begin(), table.end(), [&](const Spelling& row) { return row.first == key; });
  return found == table.end() ? nullptr : &found->second;
}


class Cleaner {
 public:
  explicit Cleaner(std::string_view text) : text_(text) {}

  std::optional<std::string> run() {
    // An odd dollar before a digit is money; the others are TeX's.
    const bool has_money = std::count(text_.begin(), text_.end(), '$') % 2 == 1;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\\') {
        if (!command()) return std::nullopt;
      } else if (static_cast<unsigned char>(c) >= 0x80) {
        character();
      } else if (c == '$') {
        ++at_;
        if (has_money && at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9' &&
            out_.find(kDollar) == std::string::npos) {
          out_ += kDollar;
        }
      } else if (c == '{' && text_.substr(at_).starts_with("{,}")) {
        at_ += 3;  // TeX's comma between groups of digits
      } else if (!plain(c)) {
        return std::nullopt;
      }
    }
    return finished();
  }

 private:
  bool plain(char c) {
    ++at_;
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '~') {
      out_ += ' ';
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      return false;
    } else {
      out_ += c;
    }
    return true;
  }

  void character() {
    Utf8Step step = utf8_decode(text_, at_);
    std::string_view bytes = text_.substr(at_, step.n_bytes);
    at_ += step.n_bytes;
    if (const std::string_view* spelling = find(kCharacters, bytes)) {
      out_ += *spelling;
    } else if (step.code_point >= 0xff01 && step.code_point <= 0xff5e) {
      out_ += static_cast<char>(step.code_point - 0xfee0);  // full-width forms of ASCII
    } else {
      out_ += bytes;
    }
  }

  bool command() {
    size_t begin = ++at_;
    while (at_ < text_.size() && is_ascii_letter(text_[at_])) ++at_;
    if (at_ == begin && at_ < text_.size()) ++at_;
    std::string_view name = text_.substr(begin, at_ - begin);
    if (std::find(kTextCommands.begin(), kTextCommands.end(), name) != kTextCommands.end()) return text_command();
    if (name == "!") {
      // "10,\!080": a comma pulled close to what follows groups digits.
      while (at_ < text_.size() && text_[at_] == ' ') ++at_;
      if (out_.ends_with(',') && at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') out_.pop_back();
    } else if (name == "circ") {
      degree();
    } else if ((name == "left" || name == "right") && at_ < text_.size() && text_[at_] == '.') {
      ++at_;
    } else if (const std::string_view* spelling = find(kCommands, name)) {
      out_ += *spelling;
    } else {
      out_ += '\\';
      out_ += name;
    }
    return true;
  }

  // ^\circ and ^{\circ}
  void degree() {
    std::string_view before = trimmed(out_);
    if (before.ends_with("^{")) {
      size_t close = text_.find('}', at_);
      if (close == std::string_view::npos) return;
      at_ = close + 1;
      out_.resize(before.size() - 2);
    } else if (before.ends_with('^')) {
      out_.resize(before.size() - 1);
    }
    out_ += kDegree;
  }

  bool text_command() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    if (at_ >= text_.size() || text_[at_] != '{') return true;
    size_t close = at_, depth = 0;
    for (; close < text_.size(); ++close) {
      if (text_[close] == '{') ++depth;
      if (text_[close] == '}' && --depth == 0) break;
    }
    if (close >= text_.size()) return false;
    std::string_view inside = text_.substr(at_ + 1, close - at_ - 1);
    at_ = close + 1;
    if (std::any_of(inside.begin(), inside.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; })) return false;
    out_ += kTextOpen;
    out_ += inside;
    out_ += kTextClose;
    return true;
  }

  std::string finished() const {
    std::string_view text = trimmed(out_);
    while (text.ends_with('.') || text.ends_with("。"))
      text = trimmed(text.substr(0, text.size() - (text.ends_with('.') ? 1 : 3)));
    std::string out;
    for (char c : text) {
      if (c != ' ' || !out.ends_with(' ')) out += c;
    }
    return out;
  }

  std::string_view text_;
  size_t at_ = 0;
  std::string out_;
};

}  // namespace

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  size_t first = text.find_first_not_of(kBlanks);
  return first == std::string_view::npos ? std::string_view() : text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::optional<std::string> clean(std::string_view text) { return Cleaner(text).run(); }

std::string words_of(std::string_view cleaned) {
  std::string out;
  for (char c : cleaned) {
    if (c == kTextOpen || c == kTextClose || c == '"' || c == '\'' || c == '`') continue;
    if (c == ' ' && (out.empty() || out.ends_with(' '))) continue;
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  while (!out.empty() && std::string_view(" .!,;").find(out.back()) != std::string_view::npos) out.pop_back();
  return out;
}

}  // namespace minke::compare
