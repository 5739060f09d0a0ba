// A compiled text pattern: a regular expression (PCRE2 with JIT) or a literal text. Immutable; the state of a search is in a
// PatternScratch, one per thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "tokenizer/spec.h"

namespace minke {

struct Span {
  size_t begin;
  size_t end;
};

class PatternScratch {
 public:
  PatternScratch();
  ~PatternScratch();
  PatternScratch(const PatternScratch&) = delete;
  PatternScratch& operator=(const PatternScratch&) = delete;

 private:
  friend class Pattern;
  struct State;
  std::unique_ptr<State> state_;
};

class Pattern {
 public:
  static Result<Pattern> compile(const TextPattern& pattern);
  // A pattern of this program, already in PCRE2's own language.
  static Pattern compile_pcre2(std::string_view pattern);

  enum class Found { kYes, kNo, kError };
  // The first match at or after `from`; look-behinds see what is before `from`. subject is valid UTF-8. kError: the match
  // needed more memory or steps than allowed; error_text() has the reason.
  Found find(PatternScratch& scratch, std::string_view subject, size_t from, Span& match) const;
  // Why find() gave kError.
  std::string error_text(const PatternScratch& scratch) const;

 private:
  struct Code;
  Pattern() = default;
  static Result<Pattern> from_pcre2(std::string_view pcre2, std::string_view shown);
  std::shared_ptr<const Code> code_;  // null for a literal
  std::string text_;                  // the literal, or the expression as written, for messages
};

}  // namespace minke
