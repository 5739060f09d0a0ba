// Writing safetensors: one file, or shards with model.safetensors.index.json, as Hugging Face lays them out.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/error.h"
#include "format/safetensors.h"
#include "format/tensor_source.h"

namespace minke {

struct SafetensorsOptions {
  StringMap metadata = {{"format", "pt"}};  // what transformers expects to see
  uint64_t max_shard_bytes = 0;             // of tensor data; 0 is one file
};

// One file, seen under its name only when whole. Tensors lie in the order given.
Status write_safetensors(const std::string& path, std::span<const TensorSource> sources,
                         const SafetensorsOptions& options = {});

// model.safetensors in the folder, or, when the tensors exceed max_shard_bytes, model-00001-of-0000N.safetensors and the
// index. Nothing is seen under its final name before every byte of every shard is on disk; the index comes last.
Status write_safetensors_model(const std::string& folder, std::span<const TensorSource> sources,
                               const SafetensorsOptions& options = {});

}  // namespace minke
