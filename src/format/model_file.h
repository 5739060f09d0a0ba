// A model as a user names it: a folder in the Hugging Face layout, a folder with one GGUF model, a .safetensors or a .gguf
// file.
#pragma once

#include <string>

#include "base/error.h"
#include "format/gguf.h"
#include "format/safetensors.h"
#include "tensor/tensor.h"

namespace minke {

enum class ModelFormat { kSafetensors, kGguf };

// Where the weights are: for safetensors a folder or a file, for GGUF a file (any part of a set).
struct ModelPath {
  ModelFormat format = ModelFormat::kSafetensors;
  std::string path;
};

// Decides the format by name, then by content. A folder must hold exactly one model; the refusal says what it holds instead.
Result<ModelPath> find_model(const std::string& path);

struct ModelFiles {
  ModelFormat format = ModelFormat::kSafetensors;
  std::string weights;  // ModelPath::path
  TensorMap tensors;
  GgufMetadata gguf;               // empty for safetensors
  StringMap safetensors_metadata;  // empty for GGUF
  // Files beside the weights; "" when there is none.
  std::string config;             // config.json
  std::string generation_config;  // generation_config.json
  std::string tokenizer;          // tokenizer.json
  std::string tokenizer_config;   // tokenizer_config.json
  std::string chat_template;      // chat_template.jinja
};

// Maps the weights and checks every header. The configuration files are found, not read.
Result<ModelFiles> open_model(const std::string& path);

}  // namespace minke
