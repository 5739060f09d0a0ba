// The tokenizer keys of GGUF metadata: tokenizer.ggml.* and tokenizer.chat_template. Source: ggml docs/gguf.md, and llama.cpp's
// readings where that is silent.
#pragma once

#include <string>

#include "base/error.h"
#include "format/gguf.h"
#include "tokenizer/spec.h"

namespace minke {

Result<TokenizerSpec> read_gguf_vocab(const GgufMetadata& metadata);
Status write_gguf_vocab(const TokenizerSpec& spec, int padded_vocab_size, GgufMetadata& metadata);

// What every SentencePiece vocabulary does around its model.
void set_sentencepiece_steps(TokenizerSpec& spec, bool add_space_prefix);

}  // namespace minke
