// What `minke show` knows about a model: its files, tensors, configuration and tokenizer. Headers only; no weight is read but
// for hash_files().
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "model/weights.h"
#include "tensor/tensor.h"
#include "tokenizer/tokenizer.h"

namespace minke::cli {

struct ReportedFile {
  std::string path;
  uint64_t n_bytes = 0;
};

struct ReportedTensor {
  std::string name, dtype;
  Shape shape;
  uint64_t n_bytes = 0;
  size_t file = 0;  // index into files
};

struct ModelReport {
  std::string path, format;  // "safetensors" or "gguf"
  ModelConfig config;
  ParameterCount parameters;
  std::vector<ReportedFile> files;
  std::vector<ReportedTensor> tensors;
  std::map<std::string, uint64_t> bytes_of_dtype;
  uint64_t weight_bytes = 0;
  Result<Tokenizer> tokenizer = tl::unexpected<Error>(Error{});
  // SHA-256 of the sorted names, dtypes and shapes of all tensors and of config.json (GGUF: the metadata): tells one model's
  // structure from another's without reading the weights.
  std::string structure_fingerprint;
};

Result<ModelReport> report_model(const std::string& path);

// The properties of a config in the words of the code, in groups: ("attention", {"n_heads": 128, ...}).
std::vector<std::pair<std::string, Json>> config_groups(const ModelConfig& config);

// SHA-256 of every file, in order. None when the user pressed Ctrl-C.
Result<std::optional<std::vector<std::string>>> hash_files(const std::vector<ReportedFile>& files);

}  // namespace minke::cli
