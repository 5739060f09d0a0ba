// Qwen2, Qwen2.5, R1-Distill-Qwen (biases on q, k, v) and Qwen3 (RMSNorm on every q and k head). Source: transformers
// Qwen2Config and Qwen3Config.
#include <nlohmann/json.hpp>

#include "model/arch/architecture.h"

namespace minke {
namespace {

Result<ModelConfig> qwen_from_hf(ConfigReader& reader) {
  ModelConfig c;
  TRY(read_common(reader, c));
  TRY(read_rope(reader, c.rope));
  c.n_kv_heads = TRY(reader.integer_or("num_key_value_heads", c.n_heads));
  // The window keys exist in every file and mean nothing unless this one is true.
  TRY(reader.expect_flag("use_sliding_window", false));
  reader.ignore({"sliding_window", "max_window_layers"});
  return c;
}

}  // namespace

Result<ModelConfig> qwen2_from_hf(ConfigReader& reader) {
  ModelConfig c = TRY(qwen_from_hf(reader));
  int64_t default_head_dim = c.n_heads > 0 ? c.hidden_size / c.n_heads : 0;
  c.head_dim = TRY(reader.integer_or("head_dim", default_head_dim));
  c.rope.dim = c.head_dim;
  c.qkv_bias = true;
  return c;
}

Result<ModelConfig> qwen3_from_hf(ConfigReader& reader) {
  ModelConfig c = TRY(qwen_from_hf(reader));
  c.head_dim = TRY(reader.integer_or("head_dim", 128));  // transformers' default
  c.rope.dim = c.head_dim;
  c.qkv_bias = TRY(reader.boolean_or("attention_bias", false));
  c.o_bias = c.qkv_bias;
  c.qk_norm = true;
  return c;
}

Result<ModelConfig> qwen2_from_gguf(const GgufMetadata& m, const TensorMap& tensors) { return llama_from_gguf(m, tensors); }

Result<ModelConfig> qwen3_from_gguf(const GgufMetadata& m, const TensorMap& tensors) {
  ModelConfig c = TRY(llama_from_gguf(m, tensors));
  c.qk_norm = true;
  return c;
}

Status qwen_to_hf(const ModelConfig& c, Json& json) {
  json["use_sliding_window"] = false;
  if (c.qk_norm || c.head_dim * c.n_heads != c.hidden_size) json["head_dim"] = c.head_dim;
  if (c.qk_norm) json["attention_bias"] = c.qkv_bias;
  return {};
}

}  // namespace minke
