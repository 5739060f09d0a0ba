// A vocabulary for models that have none: byte-level BPE of any size whose merges are all pairs of bytes, then all triples,
// in the order of their ids. Every text can be encoded, and a reader meets as many tokens and merges as in a real file.
#pragma once

#include <cstdint>
#include <vector>

#include "base/error.h"
#include "format/gguf.h"

namespace minke {

// Sets the tokenizer.* keys; bos (-1: none) and eos become control tokens.
Status set_byte_vocabulary(GgufMetadata& metadata, int64_t vocab_size, int64_t bos, const std::vector<int64_t>& eos);

}  // namespace minke
