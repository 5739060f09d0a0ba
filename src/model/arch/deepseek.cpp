// DeepSeek V2, V2-Lite, V2.5, V3, R1, V3.1, Moonlight and Kimi-K2: MLA, mixture of experts, YaRN. Sources: transformers
// DeepseekV2Config and DeepseekV3Config, the models' published config.json and modeling code, GGUF keys of "deepseek2".
#include <nlohmann/json.hpp>

#include "model/arch/architecture.h"

namespace minke {
namespace {

Status read_mla(ConfigReader& reader, ModelConfig& c) {
  c.attention = AttentionKind::kMla;
  c.q_lora_rank = TRY(reader.integer_or("q_lora_rank", 0));
  c.kv_lora_rank = TRY(reader.integer("kv_lora_rank"));
  c.qk_nope_head_dim = TRY(reader.integer("qk_nope_head_dim"));
  c.qk_rope_head_dim = TRY(reader.integer("qk_rope_head_dim"));
  c.v_head_dim = TRY(reader.integer("v_head_dim"));
  c.n_kv_heads = c.n_heads;
  c.head_dim = c.qk_nope_head_dim + c.qk_rope_head_dim;
  c.rope.dim = c.qk_rope_head_dim;
  // transformers >= 4.50 lets a checkpoint say that its rope rows are already half-split.
  c.rope.interleaved = TRY(reader.boolean_or("rope_interleave", true));
  // On q_a_proj, kv_a_proj_with_mqa and o_proj; no published model has them, the official code does.
  c.qkv_bias = TRY(reader.boolean_or("attention_bias", false));
  c.o_bias = c.qkv_bias;
  reader.ignore({"num_key_value_heads", "head_dim", "qk_head_dim"});
  return {};
}

struct RouterDefaults {
  const char* scoring;
  const char* method;
  bool norm_topk;
  int64_t n_groups, topk_groups;
  double scaling_factor;
};

Status read_router(ConfigReader& reader, const RouterDefaults& defaults, MoeConfig& m) {
  std::string scoring = TRY(reader.string_or("scoring_func", defaults.scoring));
  std::string method = TRY(reader.string_or("topk_method", defaults.method));
  m.norm_topk = TRY(reader.boolean_or("norm_topk_prob", defaults.norm_topk));
  m.routed_scaling_factor = TRY(reader.number_or("routed_scaling_factor", defaults.scaling_factor));
  if (scoring == "softmax") {
    m.scoring = RouterScoring::kSoftmax;
  } else if (scoring == "sigmoid") {
    m.scoring = RouterScoring::kSigmoid;
  } else {
    return error("{}: scoring_func = \"{}\" is not supported; supported: softmax, sigmoid", reader.where(), scoring);
  }
  bool grouped = method == "group_limited_greedy" || method == "noaux_tc";
  if (method == "greedy") {
    m.selection = RouterSelection::kTopk;
  } else if (method == "group_limited_greedy") {
    m.selection = RouterSelection::kGroupBest;
  } else if (method == "noaux_tc") {
    m.selection = RouterSelection::kGroupTopTwo;
    m.has_router_bias = true;
  } else {
    return error("{}: topk_method = \"{}\" is not supported; supported: greedy, group_limited_greedy, noaux_tc", reader.where(),
                 method);
  }
  if ((m.scoring == RouterScoring::kSigmoid) != m.has_router_bias) {
    return error(
        "{}: scoring_func = \"{}\" with topk_method = \"{}\" is not supported; supported: softmax with greedy or "
        "group_limited_greedy, sigmoid with noaux_tc",
        reader.where(), scoring, method);
  }
  // V2's code: gates are normalised or scaled, never both.
  m.scale_after_norm = m.scoring == RouterScoring::kSigmoid;
  int64_t n_groups = TRY(reader.integer_or("n_group", defaults.n_groups));
  int64_t topk_groups = TRY(reader.integer_or("topk_group", defaults.topk_groups));
  m.n_groups = grouped ? n_groups : 1;
  m.topk_groups = grouped ? topk_groups : 1;
  return {};
}

// "mlp_layer_types" of newer configs must say what first_k_dense_replace and moe_layer_freq say.
Status check_layer_types(ConfigReader& reader, const ModelConfig& c) {
  std::vector<std::string> types = TRY(reader.strings("mlp_layer_types"));
  for (size_t layer = 0; layer < types.size(); layer++) {
    std::string_view expected = c.is_moe_layer(static_cast<int64_t>(layer)) ? "sparse" : "dense";
    if (types[layer] != expected) {
      return error("{}: mlp_layer_types[{}] = \"{}\": expected \"{}\" from first_k_dense_replace and moe_layer_freq",
                   reader.where(), layer, types[layer], expected);
    }
  }
  return {};
}

Result<ModelConfig> deepseek_from_hf(ConfigReader& reader, const RouterDefaults& defaults) {
  ModelConfig c;
  TRY(read_common(reader, c));
  TRY(read_rope(reader, c.rope));
  TRY(read_mla(reader, c));
  MoeConfig& m = c.moe;
  m.n_routed_experts = TRY(reader.integer_or("n_routed_experts", 0));
  if (m.n_routed_experts > 0) {
    m.n_shared_experts = TRY(reader.integer_or("n_shared_experts", 0));
    m.n_experts_per_token = TRY(reader.integer("num_experts_per_tok"));
    m.intermediate_size = TRY(reader.integer("moe_intermediate_size"));
    m.first_k_dense = TRY(reader.integer_or("first_k_dense_replace", 0));
    m.layer_freq = TRY(reader.integer_or("moe_layer_freq", 1));
    TRY(read_router(reader, defaults, m));
    TRY(check_layer_types(reader, c));
  }
  c.n_mtp_layers = TRY(reader.integer_or("num_nextn_predict_layers", 0));
  for (const char* key : {"index_topk", "index_n_heads", "index_head_dim"}) {
    if (reader.has(key))
      return error("{}: {}: sparse attention (DeepSeek V3.2's indexer) is not supported", reader.where(), key);
  }
  return c;
}

}  // namespace

Result<ModelConfig> deepseek_v2_from_hf(ConfigReader& reader) {
  return deepseek_from_hf(reader, {"softmax", "greedy", false, 1, 1, 1.0});
}

Result<ModelConfig> deepseek_v3_from_hf(ConfigReader& reader) {
  return deepseek_from_hf(reader, {"sigmoid", "noaux_tc", true, 8, 4, 2.5});
}

namespace {

// Files written before the keys existed leave the groups out. They can only be the two published grouped routers, which are
// known by their shape.
Status fill_missing_groups(const GgufMetadata& m, MoeConfig& moe) {
  if (m.has("deepseek2.expert_group_count")) {
    moe.n_groups = TRY(m.integer("deepseek2.expert_group_count"));
    moe.topk_groups = moe.n_groups > 1 ? TRY(m.integer("deepseek2.expert_group_used_count")) : 1;
    return {};
  }
  bool like_v3 = moe.scoring == RouterScoring::kSigmoid && moe.n_routed_experts == 256 && moe.n_experts_per_token == 8;
  bool like_v2 = moe.scoring == RouterScoring::kSoftmax && moe.n_routed_experts == 160 && moe.n_experts_per_token == 6;
  if (like_v3 || like_v2) moe.n_groups = 8;
  if (like_v3) moe.topk_groups = 4;
  if (like_v2) moe.topk_groups = 3;
  return {};
}

Status read_gguf_moe(const GgufMetadata& m, const TensorMap& tensors, ModelConfig& c) {
  MoeConfig& moe = c.moe;
  if (m.has("deepseek2.expert_count")) moe.n_routed_experts = TRY(m.integer("deepseek2.expert_count"));
  if (moe.n_routed_experts == 0) return {};
  moe.n_experts_per_token = TRY(m.integer("deepseek2.expert_used_count"));
  if (m.has("deepseek2.expert_shared_count")) moe.n_shared_experts = TRY(m.integer("deepseek2.expert_shared_count"));
  moe.intermediate_size = TRY(m.integer("deepseek2.expert_feed_forward_length"));
  moe.first_k_dense = TRY(m.integer("deepseek2.leading_dense_block_count"));
  if (m.has("deepseek2.expert_weights_scale")) {
    moe.routed_scaling_factor = shortest_decimal(TRY(m.number("deepseek2.expert_weights_scale")));
  }
  if (m.has("deepseek2.expert_weights_norm")) moe.norm_topk = TRY(m.boolean("deepseek2.expert_weights_norm"));
  std::string bias_name = fmt::format("blk.{}.exp_probs_b.bias", moe.first_k_dense);
  moe.has_router_bias = tensors.find(bias_name) != nullptr;
  int64_t gating = 1;
  if (m.has("deepseek2.expert_gating_func")) {
    gating = TRY(m.integer("deepseek2.expert_gating_func"));
  } else if (moe.has_router_bias) {
    return error(
        "deepseek2.expert_gating_func: missing, but {} is there; expected 2 (sigmoid). The file cannot be run as it is",
        bias_name);
  }
  if (gating != 1 && gating != 2)
    return error("deepseek2.expert_gating_func = {}: supported: 1 (softmax), 2 (sigmoid)", gating);
  moe.scoring = gating == 1 ? RouterScoring::kSoftmax : RouterScoring::kSigmoid;
  if ((moe.scoring == RouterScoring::kSigmoid) != moe.has_router_bias) {
    return error("deepseek2.expert_gating_func = {} {} {}: not supported", gating, moe.has_router_bias ? "with" : "without",
                 bias_name);
  }
  moe.scale_after_norm = moe.scoring == RouterScoring::kSigmoid;
  TRY(fill_missing_groups(m, moe));
  if (moe.scoring == RouterScoring::kSigmoid) {
    moe.selection = RouterSelection::kGroupTopTwo;
  } else {
    moe.selection = moe.n_groups > 1 ? RouterSelection::kGroupBest : RouterSelection::kTopk;
  }
  return {};
}

}  // namespace

Result<ModelConfig> deepseek_from_gguf(const GgufMetadata& m, const TensorMap& tensors) {
  ModelConfig c;
  TRY(read_gguf_common(m, tensors, c));
  c.attention = AttentionKind::kMla;
  c.n_kv_heads = c.n_heads;
  if (m.has("deepseek2.attention.q_lora_rank")) c.q_lora_rank = TRY(m.integer("deepseek2.attention.q_lora_rank"));
  c.kv_lora_rank = TRY(m.integer("deepseek2.attention.kv_lora_rank"));
  c.qk_rope_head_dim = TRY(m.integer("deepseek2.rope.dimension_count"));
  // The split convention describes the absorbed form in key_length and the naive one in key_length_mla; the classic
  // convention has the naive one in key_length.
  bool split = m.has("deepseek2.attention.key_length_mla");
  int64_t key_length = TRY(m.integer(split ? "deepseek2.attention.key_length_mla" : "deepseek2.attention.key_length"));
  c.v_head_dim = TRY(m.integer(split ? "deepseek2.attention.value_length_mla" : "deepseek2.attention.value_length"));
  c.qk_nope_head_dim = key_length - c.qk_rope_head_dim;
  c.head_dim = key_length;
  c.rope.dim = c.qk_rope_head_dim;
  c.rope.interleaved = true;
  TRY(read_gguf_moe(m, tensors, c));
  if (m.has("deepseek2.nextn_predict_layers")) {
    c.n_mtp_layers = TRY(m.integer("deepseek2.nextn_predict_layers"));
    c.n_layers -= c.n_mtp_layers;  // block_count counts them
  }
  // No key holds the eps of the latent norms: it stays 1e-6, as in DeepSeek's code; see docs/formats.md.
  c.architecture = c.moe.scoring == RouterScoring::kSigmoid ? "deepseek_v3" : "deepseek_v2";
  return c;
}

Status deepseek_to_hf(const ModelConfig& c, Json& json) {
  json["q_lora_rank"] = c.q_lora_rank > 0 ? Json(c.q_lora_rank) : Json(nullptr);
  json["kv_lora_rank"] = c.kv_lora_rank;
  json["qk_nope_head_dim"] = c.qk_nope_head_dim;
  json["qk_rope_head_dim"] = c.qk_rope_head_dim;
  json["v_head_dim"] = c.v_head_dim;
  json["attention_bias"] = c.qkv_bias;
  if (!c.rope.interleaved) json["rope_interleave"] = false;
  const MoeConfig& m = c.moe;
  json["n_routed_experts"] = m.n_routed_experts > 0 ? Json(m.n_routed_experts) : Json(nullptr);
  if (m.n_routed_experts == 0) return {};
  json["n_shared_experts"] = m.n_shared_experts > 0 ? Json(m.n_shared_experts) : Json(nullptr);
  json["num_experts_per_tok"] = m.n_experts_per_token;
  json["moe_intermediate_size"] = m.intermediate_size;
  json["first_k_dense_replace"] = m.first_k_dense;
  json["moe_layer_freq"] = m.layer_freq;
  json["n_group"] = m.n_groups;
  json["topk_group"] = m.topk_groups;
  json["scoring_func"] = m.scoring == RouterScoring::kSoftmax ? "softmax" : "sigmoid";
  json["topk_method"] = m.selection == RouterSelection::kTopk        ? "greedy"
                        : m.selection == RouterSelection::kGroupBest ? "group_limited_greedy"
                                                                     : "noaux_tc";
  json["norm_topk_prob"] = m.norm_topk;
  json["routed_scaling_factor"] = m.routed_scaling_factor;
  if (c.n_mtp_layers > 0) json["num_nextn_predict_layers"] = c.n_mtp_layers;
  return {};
}

void set_gguf_mla_keys(const ModelConfig& c, MlaLayout mla, GgufMetadata& m) {
  auto u32 = [&](std::string_view key, int64_t v) {
    m.set(fmt::format("deepseek2.attention.{}", key), GgufValue::u32(static_cast<uint32_t>(v)));
  };
  if (mla == MlaLayout::kClassic) {
    u32("head_count_kv", c.n_heads);
    u32("key_length", c.qk_head_dim());
    u32("value_length", c.v_head_dim);
    return;
  }
  u32("head_count_kv", 1);  // absorbed, all heads share the latent
  u32("key_length", c.kv_lora_rank + c.qk_rope_head_dim);
  u32("value_length", c.kv_lora_rank);
  u32("key_length_mla", c.qk_head_dim());
  u32("value_length_mla", c.v_head_dim);
}

namespace {

// What deepseek2's keys have no word for.
Status check_sayable(const ModelConfig& c) {
  const MoeConfig& moe = c.moe;
  if (moe.layer_freq != 1) return error("moe_layer_freq = {}: GGUF's deepseek2 has no key for it", moe.layer_freq);
  if (c.qkv_bias || c.o_bias) return error("attention_bias = true: GGUF's deepseek2 has no tensors for it");
  if (!c.rope.interleaved) return error("rope_interleave = false: GGUF's deepseek2 has interleaved RoPE only");
  if (c.rope.mscale != c.rope.mscale_all_dim) {
    return error("rope_scaling mscale = {}, mscale_all_dim = {}: GGUF's deepseek2 has one key for both", c.rope.mscale,
                 c.rope.mscale_all_dim);
  }
  if (moe.n_routed_experts > 0 && moe.norm_topk && !moe.scale_after_norm && moe.routed_scaling_factor != 1.0) {
    return error("norm_topk_prob without routed_scaling_factor = {}: GGUF's deepseek2 always applies both",
                 moe.routed_scaling_factor);
  }
  return {};
}

}  // namespace

Status deepseek_to_gguf(const ModelConfig& c, MlaLayout mla, GgufMetadata& m) {
  TRY(check_sayable(c));
  TRY(write_gguf_common(c, "deepseek2", m));
  set_gguf_mla_keys(c, mla, m);
  auto u32 = [&](std::string_view key, int64_t v) {
    m.set(fmt::format("deepseek2.{}", key), GgufValue::u32(static_cast<uint32_t>(v)));
  };
  if (c.q_lora_rank > 0) u32("attention.q_lora_rank", c.q_lora_rank);
  u32("attention.kv_lora_rank", c.kv_lora_rank);
  if (c.n_mtp_layers > 0) {
    u32("block_count", c.n_layers + c.n_mtp_layers);
    u32("nextn_predict_layers", c.n_mtp_layers);
  }
  const MoeConfig& moe = c.moe;
  u32("leading_dense_block_count", moe.n_routed_experts > 0 ? moe.first_k_dense : c.n_layers);
  u32("expert_count", moe.n_routed_experts);
  u32("expert_used_count", moe.n_experts_per_token);
  u32("expert_shared_count", moe.n_shared_experts);
  u32("expert_feed_forward_length", moe.intermediate_size);
  u32("expert_group_count", moe.n_groups);
  u32("expert_group_used_count", moe.topk_groups);
  u32("expert_gating_func", moe.scoring == RouterScoring::kSoftmax ? 1 : 2);
  m.set("deepseek2.expert_weights_scale", GgufValue::f32(static_cast<float>(moe.routed_scaling_factor)));
  m.set("deepseek2.expert_weights_norm", GgufValue::boolean(moe.norm_topk));
  return {};
}

}  // namespace minke
