#include "convert/gguf_keys.h"

#include <filesystem>

#include "convert/tokenizer_files.h"
#include "model/rope_table.h"
#include "quantize/quant_mix.h"

namespace minke {
namespace {

constexpr uint32_t kQuantizationVersion = 2;  // of the block layouts
constexpr std::string_view kImportanceKeys = "quantize.imatrix.";

std::string model_name(const std::string& weights) {
  namespace fs = std::filesystem;
  std::error_code failure;
  fs::path path = fs::absolute(weights, failure).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();  // a trailing slash
  bool is_folder = fs::is_directory(path, failure);
  return is_folder ? path.filename().string() : path.parent_path().filename().string();
}

Status set_tokenizer(const SourceModel& source, GgufMetadata& metadata, std::vector<std::string>& notes) {
  const ModelConfig& config = source.config;
  auto tokenizer = TRY(find_tokenizer(source.files));
  if (tokenizer) {
    if (tokenizer->vocab_size() > config.vocab_size) {
      return error("{}: the tokenizer has {} tokens, the model's embedding {} rows; GGUF needs as many rows as tokens",
                   source.files.weights, tokenizer->vocab_size(), config.vocab_size);
    }
    TRY_IN(source.files.weights, tokenizer->to_gguf_metadata(metadata, static_cast<int>(config.vocab_size)));
  } else {
    notes.push_back("the input has no tokenizer: the output has none either");
    metadata.set("tokenizer.ggml.model", GgufValue::string(std::string(kNoVocabulary)));
  }
  auto set_id = [&](const char* key, int64_t id) {
    if (id >= 0 && !metadata.has(key)) metadata.set(key, GgufValue::u32(static_cast<uint32_t>(id)));
  };
  set_id("tokenizer.ggml.bos_token_id", config.bos_token_id);
  if (!config.eos_token_ids.empty()) set_id("tokenizer.ggml.eos_token_id", config.eos_token_ids[0]);
  return {};
}

// As llama.cpp's quantize writes them; counts are u32 since its pull request 14182, i32 before.
void set_importance_keys(const Importance& importance, GgufMetadata& metadata) {
  auto set = [&](std::string_view key, GgufValue value) {
    metadata.set(std::string(kImportanceKeys) + std::string(key), std::move(value));
  };
  set("file", GgufValue::string(importance.file));
  if (!importance.datasets.empty()) set("dataset", GgufValue::string(importance.datasets[0]));
  set("entries_count", GgufValue::u32(static_cast<uint32_t>(importance.tensors.size())));
  if (importance.n_chunks > 0) set("chunks_count", GgufValue::u32(static_cast<uint32_t>(importance.n_chunks)));
}

// Everything but how the parts of a set hang together, what the new layout does not have, and how codes that are no more were
// chosen.
GgufMetadata copied_keys(const SourceModel& source, MlaLayout mla, bool is_rounded) {
  GgufMetadata metadata;
  for (const auto& [key, value] : source.files.gguf.entries()) {
    bool is_mla_key = key.ends_with(".key_length_mla") || key.ends_with(".value_length_mla");
    if (is_rounded && key.starts_with(kImportanceKeys)) continue;
    if (key.starts_with("split.") || (is_mla_key && mla == MlaLayout::kClassic)) continue;
    metadata.set(key, value);
  }
  std::string arch = std::string(source.architecture().gguf_name);
  if (source.config.n_mtp_layers == 0 && metadata.has(arch + ".nextn_predict_layers")) {
    metadata.set(arch + ".nextn_predict_layers", GgufValue::u32(0));
    metadata.set(arch + ".block_count", GgufValue::u32(static_cast<uint32_t>(source.config.n_layers)));
  }
  if (source.config.attention == AttentionKind::kMla && mla != source.mla()) set_gguf_mla_keys(source.config, mla, metadata);
  return metadata;
}

}  // namespace

uint32_t gguf_file_type(DType dtype) {
  constexpr uint32_t kGuessed = 1024;  // llama.cpp's number for "see the tensors"
  return mix_file_type(dtype_name(dtype)).value_or(kGuessed);
}

Result<GgufMetadata> make_gguf_keys(const SourceModel& source, const GgufKeyOptions& options, std::vector<std::string>& notes) {
  GgufMetadata metadata;
  if (source.is_gguf()) {
    metadata = copied_keys(source, options.mla, options.is_rounded);
  } else {
    TRY_IN(source.files.weights, source.architecture().to_gguf(source.config, options.mla, metadata));
    metadata.set("general.type", GgufValue::string("model"));
    metadata.set("general.name", GgufValue::string(model_name(source.files.weights)));
  }
  if (!source.is_gguf() || options.is_rounded) {
    metadata.set("general.file_type", GgufValue::u32(options.file_type));
    metadata.set("general.quantization_version", GgufValue::u32(kQuantizationVersion));
  }
  if (options.importance != nullptr) set_importance_keys(*options.importance, metadata);
  if (!source.is_gguf()) TRY(set_tokenizer(source, metadata, notes));
  return metadata;
}

std::vector<float> rope_divisors_of(const ModelConfig& config) {
  if (config.rope.scaling != RopeScaling::kLlama3) return {};
  return llama3_divisors(config.rope);
}

}  // namespace minke
