// What the handles of a Tokenizer share: the spec and everything compiled from it. Never changed after from_spec().
#pragma once

#include <string>
#include <vector>

#include "tokenizer/bpe/added_tokens.h"
#include "tokenizer/bpe/bpe.h"
#include "tokenizer/bpe/vocabulary.h"
#include "tokenizer/decode_plan.h"
#include "tokenizer/text/normalizer.h"
#include "tokenizer/text/pre_tokenizer.h"
#include "tokenizer/tokenizer.h"

namespace minke {

struct Tokenizer::Data {
  TokenizerSpec spec;
  std::vector<std::string> token_bytes;  // by id: what the token adds to a decoded text
  std::vector<bool> special;             // by id
  std::vector<bool> byte_token;          // by id: a <0x..> token of a vocabulary with byte fallback
  TokenMap by_text;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  AddedTokenFinder raw_added;
  AddedTokenFinder normalized_added;
  Bpe bpe;
  DecodePlan decode_plan;
};

// Checks a spec from outside for everything that the rest takes for granted.
Status check_spec(const TokenizerSpec& spec);

}  // namespace minke
