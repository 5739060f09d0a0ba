// Merges from ranks, for vocabularies (tiktoken) that list their tokens in the order of merging but not what was merged.
#pragma once

#include "base/error.h"
#include "tokenizer/spec.h"

namespace minke {

// A token is made by merging the two parts that it falls into when only the tokens before it are known. Tokens that fall into
// more parts can come up only as a whole piece. spec: byte-level, kNormal ids in the order of their ranks.
Status merges_from_ranks(TokenizerSpec& spec);

}  // namespace minke
