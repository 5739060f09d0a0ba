// The registry of architectures: one row per model_type, one file per family. Only here do model names appear.
#pragma once

#include <span>
#include <string_view>

#include "base/json.h"
#include "format/gguf.h"
#include "model/config.h"
#include "model/config_reader.h"

namespace minke {

// How a GGUF file holds the up-projection of MLA's latent: as two tensors, attn_k_b (transposed head by head, for the absorbed
// form) and attn_v_b, with metadata that describes the absorbed form; or whole, as attn_kv_b, described as ordinary heads.
enum class MlaLayout { kSplit, kClassic };

struct Architecture {
  std::string_view model_type;  // config.json "model_type"
  std::string_view hf_class;    // config.json "architectures"[0]
  std::string_view gguf_name;   // "general.architecture"
  // GGUF files of this family hold q and k rows permuted head by head, so that half-split RoPE becomes interleaved.
  bool gguf_permutes_qk;
  Result<ModelConfig> (*from_hf)(ConfigReader& reader);
  // A GGUF name may serve several rows (deepseek2): each returns none when the metadata is another row's.
  Result<ModelConfig> (*from_gguf)(const GgufMetadata& metadata, const TensorMap& tensors);
  Status (*to_hf)(const ModelConfig& config, Json& json);
  // An error when GGUF's keys cannot say what the config says. `mla` matters to MLA models only.
  Status (*to_gguf)(const ModelConfig& config, MlaLayout mla, GgufMetadata& metadata);
};

std::span<const Architecture> architectures();
const Architecture* find_architecture(std::string_view model_type);
// The architecture of a config, which must have come from the registry.
const Architecture& architecture_of(const ModelConfig& config);

// The content of a config.json; `where` names it in errors. read_hf_config (config.h) is this for a file.
Result<ModelConfig> parse_hf_config(const Json& json, const std::string& where);
// GGUF metadata -> config; unknown architectures are refused by name.
Result<ModelConfig> read_gguf_config(const GgufMetadata& metadata, const TensorMap& tensors);
// config.json text of a config.
Result<std::string> write_hf_config(const ModelConfig& config, std::string_view dtype_name);

// arch/llama.cpp
Result<ModelConfig> llama_from_hf(ConfigReader& reader);
Result<ModelConfig> llama_from_gguf(const GgufMetadata& metadata, const TensorMap& tensors);
Status llama_to_hf(const ModelConfig& config, Json& json);
Status llama_to_gguf(const ModelConfig& config, MlaLayout mla, GgufMetadata& metadata);
// arch/qwen.cpp
Result<ModelConfig> qwen2_from_hf(ConfigReader& reader);
Result<ModelConfig> qwen3_from_hf(ConfigReader& reader);
Result<ModelConfig> qwen2_from_gguf(const GgufMetadata& metadata, const TensorMap& tensors);
Result<ModelConfig> qwen3_from_gguf(const GgufMetadata& metadata, const TensorMap& tensors);
Status qwen_to_hf(const ModelConfig& config, Json& json);
// arch/hyperclovax.cpp
Result<ModelConfig> hyperclovax_from_hf(ConfigReader& reader);
Status hyperclovax_to_hf(const ModelConfig& config, Json& json);
// arch/deepseek.cpp
Result<ModelConfig> deepseek_v2_from_hf(ConfigReader& reader);
Result<ModelConfig> deepseek_v3_from_hf(ConfigReader& reader);
Result<ModelConfig> deepseek_from_gguf(const GgufMetadata& metadata, const TensorMap& tensors);
Status deepseek_to_hf(const ModelConfig& config, Json& json);
Status deepseek_to_gguf(const ModelConfig& config, MlaLayout mla, GgufMetadata& metadata);
// Sets the keys that describe one of the layouts; a file that changes its layout changes nothing else.
void set_gguf_mla_keys(const ModelConfig& config, MlaLayout mla, GgufMetadata& metadata);

// Floats of GGUF are stored as f32; 1e-6f read back as a double is 9.99999997e-07. The shortest decimal that gives the same
// f32 is what the config said.
double shortest_decimal(double value);

// Shared by the families: keys that every GGUF file has, and the attention scale that follows from RoPE scaling.
Status read_gguf_common(const GgufMetadata& metadata, const TensorMap& tensors, ModelConfig& config);
Status write_gguf_common(const ModelConfig& config, std::string_view gguf_name, GgufMetadata& metadata);
void write_hf_common(const ModelConfig& config, Json& json);
// head_dim^-1/2, times yarn's mscale squared where mscale_all_dim is given (DeepSeek's code).
double attention_scale(const ModelConfig& config);

}  // namespace minke
