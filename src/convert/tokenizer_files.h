// The tokenizer of a model, where it has one.
#pragma once

#include <optional>
#include <string_view>

#include "format/model_file.h"
#include "tokenizer/tokenizer.h"

namespace minke {

// tokenizer.ggml.model of a file without a tokenizer, as llama.cpp spells it.
constexpr std::string_view kNoVocabulary = "no_vocab";

// None when the model comes without one; an error when what is there cannot be read.
Result<std::optional<Tokenizer>> find_tokenizer(const ModelFiles& files);

}  // namespace minke
