#include "model/arch/architecture.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/check.h"

namespace minke {
namespace {

Status unsupported_to_gguf(const ModelConfig& config, MlaLayout, GgufMetadata&) {
  return error("architecture {} has no GGUF form", config.architecture);
}
Result<ModelConfig> unsupported_from_gguf(const GgufMetadata&, const TensorMap&) {
  return error("no GGUF form of this architecture is known");
}

constexpr Architecture kArchitectures[] = {
    {"llama", "LlamaForCausalLM", "llama", true, llama_from_hf, llama_from_gguf, llama_to_hf, llama_to_gguf},
    {"qwen2", "Qwen2ForCausalLM", "qwen2", false, qwen2_from_hf, qwen2_from_gguf, qwen_to_hf, llama_to_gguf},
    {"qwen3", "Qwen3ForCausalLM", "qwen3", false, qwen3_from_hf, qwen3_from_gguf, qwen_to_hf, llama_to_gguf},
    {"deepseek_v2", "DeepseekV2ForCausalLM", "deepseek2", false, deepseek_v2_from_hf, deepseek_from_gguf, deepseek_to_hf,
     deepseek_to_gguf},
    {"deepseek_v3", "DeepseekV3ForCausalLM", "deepseek2", false, deepseek_v3_from_hf, deepseek_from_gguf, deepseek_to_hf,
     deepseek_to_gguf},
    {"kimi_k2", "DeepseekV3ForCausalLM", "deepseek2", false, deepseek_v3_from_hf, deepseek_from_gguf, deepseek_to_hf,
     deepseek_to_gguf},
    {"hyperclovax", "HyperCLOVAXForCausalLM", "", false, hyperclovax_from_hf, unsupported_from_gguf, hyperclovax_to_hf,
     unsupported_to_gguf},
};

std::string supported_names(std::string_view Architecture::*name) {
  std::string text;
  for (const Architecture& row : kArchitectures) {
    if ((row.*name).empty() || text.find(row.*name) != std::string::npos) continue;
    if (!text.empty()) text += ", ";
    text += row.*name;
  }
  return text;
}

}  // namespace

std::span<const Architecture> architectures() { return kArchitectures; }

const Architecture* find_architecture(std::string_view model_type) {
  for (const Architecture& row : kArchitectures) {
    if (row.model_type == model_type) return &row;
  }
  return nullptr;
}

const Architecture& architecture_of(const ModelConfig& config) {
  const Architecture* row = find_architecture(config.architecture);
  CHECK(row != nullptr, "architecture \"{}\"", config.architecture);
  return *row;
}

Result<ModelConfig> read_hf_config(const std::string& config_path) {
  Json json = TRY(read_json_file(config_path, size_t{16} << 20));
  return parse_hf_config(json, config_path);
}

Result<ModelConfig> parse_hf_config(const Json& json, const std::string& where) {
  if (!json.is_object()) return error("{}: expected a JSON object", where);
  ConfigReader reader(json, where);
  std::string model_type = TRY(reader.string("model_type"));
  const Architecture* row = find_architecture(model_type);
  if (row == nullptr) {
    return error("{}: model_type = \"{}\" is not supported; supported: {}", where, model_type,
                 supported_names(&Architecture::model_type));
  }
  ModelConfig config = TRY(row->from_hf(reader));
  config.architecture = row->model_type;
  config.softmax_scale = config.softmax_scale != 0.0 ? config.softmax_scale : attention_scale(config);
  TRY_IN(where, validate_config(config));
  for (const std::string& key : reader.unread()) {
    config.warnings.push_back(fmt::format("{}: key \"{}\" is unknown to minke and was not used", where, key));
  }
  return config;
}

Result<ModelConfig> read_gguf_config(const GgufMetadata& metadata, const TensorMap& tensors) {
  std::string name = TRY(metadata.string("general.architecture"));
  for (const Architecture& row : kArchitectures) {
    if (row.gguf_name.empty() || row.gguf_name != name) continue;
    ModelConfig config = TRY(row.from_gguf(metadata, tensors));
    if (config.architecture.empty()) config.architecture = row.model_type;
    config.softmax_scale = attention_scale(config);
    TRY(validate_config(config));
    return config;
  }
  return error("general.architecture = \"{}\" is not supported; supported: {}", name,
               supported_names(&Architecture::gguf_name));
}

double attention_scale(const ModelConfig& config) {
  double scale = 1.0 / std::sqrt(static_cast<double>(config.qk_head_dim()));
  const RopeConfig& rope = config.rope;
  if (rope.scaling != RopeScaling::kYarn || rope.mscale_all_dim == 0.0 || rope.factor <= 1.0) return scale;
  double mscale = 0.1 * rope.mscale_all_dim * std::log(rope.factor) + 1.0;
  return scale * mscale * mscale;
}

namespace {

Json rope_to_json(const RopeConfig& rope) {
  Json json;
  json["type"] = rope.scaling == RopeScaling::kLinear ? "linear" : rope.scaling == RopeScaling::kYarn ? "yarn" : "llama3";
  json["rope_type"] = json["type"];
  json["factor"] = rope.factor;
  if (rope.scaling == RopeScaling::kLinear) return json;
  json["original_max_position_embeddings"] = static_cast<int64_t>(rope.original_max_seq_len);
  if (rope.scaling == RopeScaling::kLlama3) {
    json["low_freq_factor"] = rope.low_freq_factor;
    json["high_freq_factor"] = rope.high_freq_factor;
    return json;
  }
  json["beta_fast"] = rope.beta_fast;
  json["beta_slow"] = rope.beta_slow;
  if (rope.mscale != 0.0) json["mscale"] = rope.mscale;
  if (rope.mscale_all_dim != 0.0) json["mscale_all_dim"] = rope.mscale_all_dim;
  if (rope.attention_factor != 0.0) json["attention_factor"] = rope.attention_factor;
  if (!rope.truncate) json["truncate"] = false;
  return json;
}

}  // namespace

void write_hf_common(const ModelConfig& config, Json& json) {
  const Architecture& row = architecture_of(config);
  json["architectures"] = Json::array({std::string(row.hf_class)});
  json["model_type"] = std::string(row.model_type);
  json["vocab_size"] = config.vocab_size;
  json["hidden_size"] = config.hidden_size;
  json["intermediate_size"] = config.intermediate_size;
  json["num_hidden_layers"] = config.n_layers;
  json["num_attention_heads"] = config.n_heads;
  json["num_key_value_heads"] = config.attention == AttentionKind::kMla ? config.n_heads : config.n_kv_heads;
  json["max_position_embeddings"] = config.max_seq_len;
  json["rms_norm_eps"] = config.rms_norm_eps;
  json["rope_theta"] = config.rope.theta;
  json["rope_scaling"] = config.rope.scaling == RopeScaling::kNone ? Json(nullptr) : rope_to_json(config.rope);
  json["hidden_act"] = "silu";
  json["tie_word_embeddings"] = config.tied_embeddings;
  json["initializer_range"] = config.initializer_range;
  if (config.bos_token_id >= 0) json["bos_token_id"] = config.bos_token_id;
  if (config.eos_token_ids.size() == 1) json["eos_token_id"] = config.eos_token_ids[0];
  if (config.eos_token_ids.size() > 1) json["eos_token_id"] = config.eos_token_ids;
}

Result<std::string> write_hf_config(const ModelConfig& config, std::string_view dtype_name) {
  Json json = Json::object();
  write_hf_common(config, json);
  json["torch_dtype"] = dtype_name == "f32" ? "float32" : dtype_name == "f16" ? "float16" : "bfloat16";
  TRY(architecture_of(config).to_hf(config, json));
  return dump_json(json, 2) + "\n";
}

}  // namespace minke
