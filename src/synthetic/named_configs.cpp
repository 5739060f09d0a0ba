#include "synthetic/named_configs.h"

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "model/arch/architecture.h"

namespace minke {
namespace {

constexpr NamedConfig kConfigs[] = {
    {"deepseek-v2-lite", "https://huggingface.co/deepseek-ai/DeepSeek-V2-Lite", R"({
  "model_type": "deepseek_v2", "vocab_size": 102400, "hidden_size": 2048, "intermediate_size": 10944,
  "num_hidden_layers": 27, "num_attention_heads": 16, "max_position_embeddings": 163840, "rms_norm_eps": 1e-6,
  "rope_theta": 10000, "rope_scaling": {"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096,
    "beta_fast": 32, "beta_slow": 1, "mscale": 0.707, "mscale_all_dim": 0.707},
  "hidden_act": "silu", "tie_word_embeddings": false, "bos_token_id": 100000, "eos_token_id": 100001,
  "q_lora_rank": null, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
  "n_routed_experts": 64, "n_shared_experts": 2, "num_experts_per_tok": 6, "moe_intermediate_size": 1408,
  "first_k_dense_replace": 1, "moe_layer_freq": 1, "n_group": 1, "topk_group": 1, "scoring_func": "softmax",
  "topk_method": "greedy", "norm_topk_prob": false, "routed_scaling_factor": 1.0})"},
    {"deepseek-r1-distill-qwen-1.5b", "https://huggingface.co/deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", R"({
  "model_type": "qwen2", "vocab_size": 151936, "hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28,
  "num_attention_heads": 12, "num_key_value_heads": 2, "max_position_embeddings": 131072, "rms_norm_eps": 1e-6,
  "rope_theta": 10000, "hidden_act": "silu", "tie_word_embeddings": false, "use_sliding_window": false,
  "bos_token_id": 151643, "eos_token_id": 151643})"},
    {"llama-3.2-1b", "https://huggingface.co/meta-llama/Llama-3.2-1B", R"({
  "model_type": "llama", "vocab_size": 128256, "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16,
  "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 64, "max_position_embeddings": 131072,
  "rms_norm_eps": 1e-5, "rope_theta": 500000, "rope_scaling": {"rope_type": "llama3", "factor": 32, "low_freq_factor": 1,
    "high_freq_factor": 4, "original_max_position_embeddings": 8192},
  "hidden_act": "silu", "tie_word_embeddings": true, "bos_token_id": 128000, "eos_token_id": 128001})"},
    {"qwen3-0.6b", "https://huggingface.co/Qwen/Qwen3-0.6B", R"({
  "model_type": "qwen3", "vocab_size": 151936, "hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28,
  "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 40960,
  "rms_norm_eps": 1e-6, "rope_theta": 1000000, "hidden_act": "silu", "tie_word_embeddings": true,
  "use_sliding_window": false, "bos_token_id": 151643, "eos_token_id": 151645})"},
    {"tiny", "made up: every part of DeepSeek-V2-Lite, and rows that are no whole number of 256", R"({
  "model_type": "deepseek_v2", "vocab_size": 640, "hidden_size": 256, "intermediate_size": 288, "num_hidden_layers": 3,
  "num_attention_heads": 4, "max_position_embeddings": 1024, "rms_norm_eps": 1e-6, "rope_theta": 10000,
  "hidden_act": "silu", "tie_word_embeddings": false, "bos_token_id": 638, "eos_token_id": 639,
  "q_lora_rank": null, "kv_lora_rank": 64, "qk_nope_head_dim": 32, "qk_rope_head_dim": 16, "v_head_dim": 32,
  "n_routed_experts": 8, "n_shared_experts": 2, "num_experts_per_tok": 2, "moe_intermediate_size": 96,
  "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1, "scoring_func": "softmax", "topk_method": "greedy",
  "norm_topk_prob": false, "routed_scaling_factor": 1.0})"},
};

std::string known_names() {
  std::string names;
  for (const NamedConfig& row : kConfigs) names += fmt::format("{}{}", names.empty() ? "" : ", ", row.name);
  return names;
}

}  // namespace

std::span<const NamedConfig> named_configs() { return kConfigs; }

Result<ModelConfig> find_config(const std::string& name_or_path) {
  if (name_or_path.ends_with(".json")) return read_hf_config(name_or_path);
  for (const NamedConfig& row : kConfigs) {
    if (row.name != name_or_path) continue;
    Json json = TRY(parse_json(row.json, row.name));
    return parse_hf_config(json, std::string(row.name));
  }
  return error("configuration \"{}\": expected a file that ends in .json, or one of {}", name_or_path, known_names());
}

}  // namespace minke
