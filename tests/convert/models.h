// What the conversion tests share: goldens by name, tensors and configs to compare, logits of a model.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "convert/convert.h"
#include "model/loader.h"
#include "model/model.h"
#include "support/support.h"

namespace minke::testing {

inline std::string golden_model(const std::string& name) { return repository_path("tests/goldens/models/" + name); }
inline std::string stories(const std::string& name) { return repository_path("tests/data/models/stories260K/" + name); }

// Everything of a config that the forward pass, the tokens or the size depend on.
inline std::string meaning(const ModelConfig& c) {
  const RopeConfig& r = c.rope;
  const MoeConfig& m = c.moe;
  std::string text = fmt::format("sizes {} {} {} {} heads {} {} {} context {} eps {} {} tied {}\n", c.vocab_size, c.hidden_size,
                                 c.intermediate_size, c.n_layers, c.n_heads, c.n_kv_heads, c.head_dim, c.max_seq_len,
                                 c.rms_norm_eps, c.latent_norm_eps, c.tied_embeddings);
  text +=
      fmt::format("bias {} {} {} qk_norm {} scale {} post_norm {} multipliers {} {} {}\n", c.qkv_bias, c.o_bias, c.mlp_bias,
                  c.qk_norm, c.softmax_scale, c.post_norm, c.embedding_multiplier, c.residual_multiplier, c.logits_multiplier);
  text += fmt::format("rope {} {} {} scaling {} {} {} beta {} {} mscale {} {} attention {} {} llama3 {} {}\n", r.theta, r.dim,
                      r.interleaved, static_cast<int>(r.scaling), r.factor, r.original_max_seq_len, r.beta_fast, r.beta_slow,
                      r.mscale, r.mscale_all_dim, r.attention_factor, r.truncate, r.low_freq_factor, r.high_freq_factor);
  text +=
      fmt::format("mla {} {} {} {} {}\n", c.q_lora_rank, c.kv_lora_rank, c.qk_nope_head_dim, c.qk_rope_head_dim, c.v_head_dim);
  text += fmt::format("moe {} {} {} {} first {} freq {} groups {} {} scoring {} {} bias {} norm {} {} factor {}\n",
                      m.n_routed_experts, m.n_shared_experts, m.n_experts_per_token, m.intermediate_size, m.first_k_dense,
                      m.layer_freq, m.n_groups, m.topk_groups, static_cast<int>(m.scoring), static_cast<int>(m.selection),
                      m.has_router_bias, m.norm_topk, m.scale_after_norm, m.routed_scaling_factor);
  return text + fmt::format("tokens {} {}\n", c.bos_token_id, fmt::join(c.eos_token_ids, " "));
}

inline ModelConfig config_of(const std::string& path) { return value_of(read_model_config(value_of(open_model(path)))); }

// Empty when both hold the same tensors, else what differs first. Names that begin with left_out do not count.
inline std::string tensor_difference(const TensorMap& expected, const TensorMap& actual, const std::string& left_out = "-") {
  auto counted = [&](const TensorMap& map) {
    return std::count_if(map.entries().begin(), map.entries().end(),
                         [&](const auto& entry) { return !entry.name.starts_with(left_out); });
  };
  for (const TensorMap::Entry& entry : expected.entries()) {
    if (entry.name.starts_with(left_out)) continue;
    const TensorView* other = actual.find(entry.name);
    if (other == nullptr) return entry.name + " is missing";
    if (other->shape != entry.view.shape) return entry.name + " has another shape " + shape_text(other->shape);
    if (other->dtype != entry.view.dtype) return fmt::format("{} is {}", entry.name, dtype_name(other->dtype));
    if (std::memcmp(other->data, entry.view.data, entry.view.n_bytes()) != 0) return entry.name + " has other bytes";
  }
  return counted(expected) == counted(actual) ? "" : fmt::format("{} tensors instead of {}", actual.size(), expected.size());
}

// [n_tokens, vocab_size]
inline std::vector<float> logits_of(const std::string& path, const std::vector<TokenId>& tokens) {
  auto model = value_of(Model::load(path));
  KvCache cache(model->config(), static_cast<int64_t>(tokens.size()));
  SequenceCache sequence;
  Batch batch;
  batch.tokens = tokens;
  batch.sequences.push_back({&sequence, static_cast<int64_t>(tokens.size()), MlaForm::kNaive});
  for (size_t i = 0; i < tokens.size(); i++) batch.logit_rows.push_back(static_cast<int64_t>(i));
  std::vector<float> logits;
  value_of(model->forward(logits, batch, cache, Context{}));
  return logits;
}

// Of the vectors' difference, relative to the first one's.
inline double relative_norm(const std::vector<float>& expected, const std::vector<float>& actual) {
  if (expected.size() != actual.size()) return INFINITY;
  double norm = 0, difference = 0;
  for (size_t i = 0; i < expected.size(); i++) {
    norm += static_cast<double>(expected[i]) * expected[i];
    difference += (static_cast<double>(expected[i]) - actual[i]) * (static_cast<double>(expected[i]) - actual[i]);
  }
  return std::sqrt(difference / norm);
}

inline std::vector<TokenId> some_tokens(const ModelConfig& config, int n) {
  std::vector<TokenId> tokens;
  for (int i = 0; i < n; i++) tokens.push_back(static_cast<TokenId>((i * 37 + 5) % config.vocab_size));
  return tokens;
}

}  // namespace minke::testing
