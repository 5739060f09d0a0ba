// The normalizer section of tokenizer.json: Unicode normalisation forms, replacing, prepending, stripping, lower case.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "tokenizer/spec.h"
#include "tokenizer/text/pattern.h"

namespace minke {

class Normalizer {
 public:
  static Result<Normalizer> compile(const std::vector<NormalizerStep>& steps);
  bool empty() const { return steps_.empty(); }
  // Applies every step to text (valid UTF-8) in place.
  Status apply(std::string& text, PatternScratch& scratch) const;

 private:
  struct Step {
    NormalizerStep spec;
    std::shared_ptr<const Pattern> pattern;  // kReplace
  };
  std::vector<Step> steps_;
};

// NFC, NFD, NFKC or NFKD in linear time (canonical reordering included), unchanged when nothing is to do.
std::string unicode_normalize(std::string_view text, NormalizerStep::Kind form);

}  // namespace minke
