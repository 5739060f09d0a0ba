// The pre_tokenizer section of tokenizer.json: cuts a text into the pieces that are merged on their own.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "tokenizer/spec.h"
#include "tokenizer/text/pattern.h"

namespace minke {

// Pieces are spans of text; a step that changes characters (prefix space, Metaspace) writes a new text.
struct Pieces {
  std::string text;
  std::vector<Span> spans;
};

class PreTokenizer {
 public:
  static Result<PreTokenizer> compile(const std::vector<PreTokenizerStep>& steps);
  // pieces: on entry the whole text as one span. at_start: the text is the beginning of the input.
  Status apply(Pieces& pieces, bool at_start, PatternScratch& scratch) const;

 private:
  struct Step {
    PreTokenizerStep spec;
    std::shared_ptr<const Pattern> pattern;  // what the step splits at; null when it does not
    SplitBehavior behavior = SplitBehavior::kIsolated;
    bool invert = false;
  };
  static Result<Step> compile_step(const PreTokenizerStep& spec);
  static Status split(const Step& step, std::string_view text, Span piece, std::vector<Span>& out, PatternScratch& scratch);
  static void rewrite(const PreTokenizerStep& spec, Pieces& pieces, bool at_start);
  std::vector<Step> steps_;
};

// The pattern of GPT-2, which "ByteLevel" with use_regex means.
extern const char* const kGpt2Pattern;

}  // namespace minke
