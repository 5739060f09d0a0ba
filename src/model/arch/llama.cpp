// Llama 2/3, R1-Distill-Llama, Yi, Kanana and HyperCLOVA X SEED text models that publish model_type "llama": GQA, half-split
// RoPE (interleaved after GGUF's row permutation), SwiGLU. Source: transformers LlamaConfig.
#include <cmath>
#include <nlohmann/json.hpp>

#include "model/arch/architecture.h"

namespace minke {

Result<ModelConfig> llama_from_hf(ConfigReader& reader) {
  ModelConfig c;
  TRY(read_common(reader, c));
  TRY(read_rope(reader, c.rope));
  c.n_kv_heads = TRY(reader.integer_or("num_key_value_heads", c.n_heads));
  int64_t default_head_dim = c.n_heads > 0 ? c.hidden_size / c.n_heads : 0;
  c.head_dim = TRY(reader.integer_or("head_dim", default_head_dim));
  c.rope.dim = c.head_dim;
  bool attention_bias = TRY(reader.boolean_or("attention_bias", false));
  c.qkv_bias = attention_bias;
  c.o_bias = attention_bias;
  c.mlp_bias = TRY(reader.boolean_or("mlp_bias", false));
  return c;
}

Result<ModelConfig> llama_from_gguf(const GgufMetadata& m, const TensorMap& tensors) {
  ModelConfig c;
  TRY(read_gguf_common(m, tensors, c));
  std::string arch = TRY(m.string("general.architecture"));
  if (m.has(arch + ".expert_count")) {
    int64_t n_experts = TRY(m.integer(arch + ".expert_count"));
    if (n_experts > 0) return error("{}.expert_count = {}: experts of this architecture are not supported", arch, n_experts);
  }
  c.n_kv_heads = c.n_heads;
  if (m.has(arch + ".attention.head_count_kv")) c.n_kv_heads = TRY(m.integer(arch + ".attention.head_count_kv"));
  c.head_dim = c.n_heads > 0 ? c.hidden_size / c.n_heads : 0;
  if (m.has(arch + ".attention.key_length")) c.head_dim = TRY(m.integer(arch + ".attention.key_length"));
  if (m.has(arch + ".attention.value_length")) {
    int64_t value_length = TRY(m.integer(arch + ".attention.value_length"));
    if (value_length != c.head_dim)
      return error("{}.attention.value_length = {}: expected key_length {}", arch, value_length, c.head_dim);
  }
  c.rope.dim = c.head_dim;
  if (m.has(arch + ".rope.dimension_count")) c.rope.dim = TRY(m.integer(arch + ".rope.dimension_count"));
  c.rope.interleaved = arch == "llama";
  c.qkv_bias = tensors.find("blk.0.attn_q.bias") != nullptr;
  c.o_bias = tensors.find("blk.0.attn_output.bias") != nullptr;
  c.mlp_bias = tensors.find("blk.0.ffn_gate.bias") != nullptr;
  // A tensor of frequency divisors carries llama3's scaling; the loader reads it, these numbers are only for `show`.
  return c;
}

Status llama_to_hf(const ModelConfig& c, Json& json) {
  json["head_dim"] = c.head_dim;
  if (c.qkv_bias != c.o_bias) return error("biases on q, k, v but not on o have no llama config.json");
  json["attention_bias"] = c.qkv_bias;
  json["mlp_bias"] = c.mlp_bias;
  return {};
}

Status llama_to_gguf(const ModelConfig& c, MlaLayout, GgufMetadata& m) {
  std::string_view name = architecture_of(c).gguf_name;
  if (c.rope.mscale != 0.0 || c.rope.mscale_all_dim != 0.0) {
    return error("rope_scaling with mscale: GGUF's {} has no keys for it", name);
  }
  TRY(write_gguf_common(c, name, m));
  auto set = [&](std::string_view key, int64_t v) {
    m.set(fmt::format("{}.{}", name, key), GgufValue::u32(static_cast<uint32_t>(v)));
  };
  set("attention.head_count_kv", c.n_kv_heads);
  set("attention.key_length", c.head_dim);
  set("attention.value_length", c.head_dim);
  return {};
}

}  // namespace minke
