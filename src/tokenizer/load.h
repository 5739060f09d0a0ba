// The tokenizer that belongs to a model, wherever its files keep it.
#pragma once

#include <string>

#include "base/error.h"
#include "tokenizer/tokenizer.h"

namespace minke {

// The tokenizer of a model folder, of a .safetensors file's folder, of a GGUF file, or a tokenizer.json by itself.
Result<Tokenizer> load_tokenizer_for(const std::string& path);

}  // namespace minke
