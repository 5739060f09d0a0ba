// Validation of model files without loading them, for `minke check`.
#pragma once

#include <string>

#include "base/error.h"

namespace minke {

// A .safetensors file (one shard is checked by itself), a .gguf file (with all parts of its set), a .json file (strict
// JSON; an index with all of its shards), or a folder with a model: its weights and every .json file in it.
// The error is one line that says what is wrong and where: the byte, the key or the tensor.
Status check_model_file(const std::string& path);

}  // namespace minke
