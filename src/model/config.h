// ModelConfig: everything that shapes the computation, as properties. Architectures (arch/) fill it from config.json or from
// GGUF metadata; below arch/ nobody knows a model's name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"

namespace minke {

enum class AttentionKind { kGqa, kMla };
enum class RopeScaling { kNone, kLinear, kYarn, kLlama3 };
enum class RouterScoring { kSoftmax, kSigmoid };
// How the router picks its experts: plain top-k of all; V2's groups scored by their best expert; V3's groups scored by the
// sum of their two best biased scores ("noaux_tc").
enum class RouterSelection { kTopk, kGroupBest, kGroupTopTwo };

struct RopeConfig {
  double theta = 10000.0;
  int64_t dim = 0;           // rotated elements of a head, even
  bool interleaved = false;  // planes (2i, 2i+1); else half-split (i, i + dim/2)
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1.0;
  double original_max_seq_len = 0;
  double beta_fast = 32.0, beta_slow = 1.0;              // yarn
  double mscale = 0.0, mscale_all_dim = 0.0;             // yarn; 0 = not given
  double attention_factor = 0.0;                         // yarn; 0 = not given
  bool truncate = true;                                  // yarn: round the correction range to whole pairs
  double low_freq_factor = 1.0, high_freq_factor = 4.0;  // llama3
};

struct MoeConfig {
  int64_t n_routed_experts = 0;  // 0: a dense model
  int64_t n_shared_experts = 0;
  int64_t n_experts_per_token = 0;
  int64_t intermediate_size = 0;  // of one expert
  int64_t first_k_dense = 0;
  int64_t layer_freq = 1;
  int64_t n_groups = 1, topk_groups = 1;
  RouterScoring scoring = RouterScoring::kSoftmax;
  RouterSelection selection = RouterSelection::kTopk;
  bool has_router_bias = false;
  bool norm_topk = false;
  // V2's code leaves routed_scaling_factor out when it normalises; V3's always applies it.
  bool scale_after_norm = true;
  double routed_scaling_factor = 1.0;
};

struct ModelConfig {
  std::string architecture;  // row of the registry, e.g. "deepseek_v3"
  int64_t vocab_size = 0, hidden_size = 0, intermediate_size = 0, n_layers = 0;
  int64_t n_heads = 0, n_kv_heads = 0, head_dim = 0;
  int64_t max_seq_len = 0;
  double rms_norm_eps = 1e-6;
  bool tied_embeddings = false;
  double initializer_range = 0.02;

  AttentionKind attention = AttentionKind::kGqa;
  bool qkv_bias = false, o_bias = false, mlp_bias = false;  // MLA: qkv_bias means q_a_proj and kv_a_proj
  bool qk_norm = false;                                     // RMSNorm over head_dim of every q and k head, before RoPE
  RopeConfig rope;
  double softmax_scale = 0.0;

  // MLA
  int64_t q_lora_rank = 0;  // 0: q_proj straight from the hidden state
  int64_t kv_lora_rank = 0, qk_nope_head_dim = 0, qk_rope_head_dim = 0, v_head_dim = 0;
  double latent_norm_eps = 1e-6;

  MoeConfig moe;
  int64_t n_mtp_layers = 0;  // modules of multi-token prediction, numbered from n_layers on

  // muP multipliers
  double embedding_multiplier = 1.0, residual_multiplier = 1.0, logits_multiplier = 1.0;
  bool post_norm = false;  // RMSNorm on each sub-layer's output before the residual add

  int64_t fp8_block_rows = 0, fp8_block_cols = 0;  // of weight_scale_inv; 0: the checkpoint has none

  int64_t bos_token_id = -1;
  std::vector<int64_t> eos_token_ids;

  std::vector<std::string> warnings;  // what the reader did not know and did not need, for the CLI to print

  int64_t qk_head_dim() const { return attention == AttentionKind::kMla ? qk_nope_head_dim + qk_rope_head_dim : head_dim; }
  int64_t value_head_dim() const { return attention == AttentionKind::kMla ? v_head_dim : head_dim; }
  bool is_moe_layer(int64_t layer) const {
    return moe.n_routed_experts > 0 && layer >= moe.first_k_dense && layer % moe.layer_freq == 0;
  }
};

// Ranges and divisibility of everything above; the message names the property and its value. Call it before any size is
// computed from a config that came from a file.
Status validate_config(const ModelConfig& config);

// Reads <directory>/config.json. Unknown architectures and values are refused by name.
Result<ModelConfig> read_hf_config(const std::string& config_path);

}  // namespace minke
