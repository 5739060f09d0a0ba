// SentencePiece vocabularies merge by the score of the result, tokenizer.json by a list of merges. The way from one to the
// other and back.
#pragma once

#include <vector>

#include "base/error.h"
#include "tokenizer/spec.h"

namespace minke {

// Every split of every token into two tokens, best score first: what merging by score can do.
std::vector<Merge> merges_from_scores(const TokenizerSpec& spec);

// Scores that merge as the merges do: higher for earlier ranks. An error when no scores can: a pair that would merge by score
// is not in the list, or the merges of two results alternate.
Result<std::vector<float>> scores_from_merges(const TokenizerSpec& spec);

}  // namespace minke
