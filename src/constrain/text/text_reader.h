// What the readers of regular expressions and of EBNF have in common: a place in a text, escapes, character classes, bounds.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "constrain/grammar/code_points.h"

namespace minke::constrain {

class TextReader {
 public:
  // The text must be valid UTF-8. `where` names it in messages.
  TextReader(std::string_view text, std::string_view where) : text_(text), where_(where) {}

  bool at_end() const { return position_ == text_.size(); }
  char32_t peek() const;  // 0 at the end
  char32_t take();
  bool take_if(std::string_view expected);
  size_t position() const { return position_; }
  void set_position(size_t position) { position_ = position; }
  std::string_view text() const { return text_; }

  template <typename... Args>
  tl::unexpected<Error> fail(fmt::format_string<Args...> format, Args&&... args) const {
    return error("{}: position {}: {}", where_, position_, fmt::format(format, std::forward<Args>(args)...));
  }

  // After "\": one code point, or for \d \w \s and their opposites a set.
  Result<CodePointSet> take_escape();
  // After "[".
  Result<CodePointSet> take_class();
  struct Bounds {
    int64_t min, max;
  };
  // After "{": m}, m,} or m,n}.
  Result<Bounds> take_bounds();

 private:
  Result<char32_t> take_hex(int n_digits);
  Result<char32_t> take_unicode_escape();

  std::string_view text_;
  std::string_view where_;
  size_t position_ = 0;
};

}  // namespace minke::constrain
