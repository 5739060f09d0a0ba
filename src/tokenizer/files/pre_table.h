// tokenizer.ggml.pre: the names by which GGUF files call pre-tokenizers, and the patterns they stand for. Source: the
// patterns of the models' own tokenizer.json files; names as in llama.cpp.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/spec.h"

namespace minke {

struct PreTokenizerRow {
  std::vector<std::string_view> names;     // the first is the one written
  std::vector<std::string_view> patterns;  // Oniguruma; each splits the pieces of the one before, matches isolated
  bool nfc = false;                        // normalises to NFC first
  bool ignore_merges = false;
  bool add_bos = false;  // when tokenizer.ggml.add_bos_token is missing
};

const std::vector<PreTokenizerRow>& pre_tokenizer_table();
const PreTokenizerRow* find_pre_tokenizer(std::string_view name);
// "default, gpt-2, ..." for messages
std::string pre_tokenizer_names();

// A row's steps, with ByteLevel at the end.
std::vector<PreTokenizerStep> pre_tokenizer_steps(const PreTokenizerRow& row);
std::vector<NormalizerStep> normalizer_steps(const PreTokenizerRow& row);
// The row that does the same as the spec; none if there is none.
const PreTokenizerRow* matching_pre_tokenizer(const TokenizerSpec& spec);

}  // namespace minke
