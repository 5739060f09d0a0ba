// The decoder section of tokenizer.json, reduced to what a stream can do: bytes per token, runs of byte tokens, and a start of
// the text that is taken away. Chains that would have to wait for the end of the text are refused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "tokenizer/spec.h"

namespace minke {

struct DecodePlan {
  bool byte_level = false;     // bytes of all tokens in a row, then UTF-8
  bool byte_fallback = false;  // a run of <0x..> tokens is UTF-8 as a whole, or one U+FFFD for each byte
  std::vector<DecoderStep> replaces;
  int strip_start = 0;  // so many strip_content at the start of the text are dropped
  std::string strip_content;
  std::string metaspace;               // not empty: stands for a space
  bool metaspace_drops_first = false;  // ... and for nothing in the first token

  static Result<DecodePlan> compile(const std::vector<DecoderStep>& steps);
  // What a token adds to a text, and what it adds as the first one.
  std::string token_bytes(const std::string& text, bool added) const;
  std::string first_token_bytes(const std::string& text) const;
};

}  // namespace minke
