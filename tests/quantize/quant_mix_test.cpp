// Mixes: the types of a DeepSeek-V2-Lite file named Q4_K_M as other programs write it, fallbacks, and names.
#include "quantize/quant_mix.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace minke::testing {
namespace {

ModelConfig v2_lite_shape() {
  ModelConfig c;
  c.vocab_size = 102400, c.hidden_size = 2048, c.intermediate_size = 10944, c.n_layers = 27;
  c.n_heads = 16, c.n_kv_heads = 16, c.head_dim = 192;
  c.attention = AttentionKind::kMla;
  c.kv_lora_rank = 512, c.qk_nope_head_dim = 128, c.qk_rope_head_dim = 64, c.v_head_dim = 128;
  c.moe.n_routed_experts = 64, c.moe.n_shared_experts = 2, c.moe.n_experts_per_token = 6;
  c.moe.intermediate_size = 1408, c.moe.first_k_dense = 1;
  return c;
}

ModelConfig qwen_1_5b_shape() {
  ModelConfig c;
  c.vocab_size = 151936, c.hidden_size = 1536, c.intermediate_size = 8960, c.n_layers = 28;
  c.n_heads = 12, c.n_kv_heads = 2, c.head_dim = 128;
  c.qkv_bias = true;
  return c;
}

std::map<std::string, DType> all_dtypes_of(std::string_view mix, const ModelConfig& config) {
  std::map<std::string, DType> dtypes;
  ModelWeights weights;
  for (const WeightRow& row : weight_rows(config, weights, true)) {
    Result<DType> dtype = mix_dtype(mix, config, row);
    EXPECT_TRUE(dtype.has_value()) << row.name;
    // Every expert of a stacked tensor gets the same.
    auto [place, is_new] = dtypes.emplace(row.gguf_name, *dtype);
    EXPECT_TRUE(is_new || place->second == *dtype) << row.name;
  }
  return dtypes;
}

bool ends_with_any(const std::string& name, std::initializer_list<std::string_view> ends) {
  return std::any_of(ends.begin(), ends.end(), [&](std::string_view end) { return name.ends_with(end); });
}

TEST(QuantMix, V2LiteGetsTheTypesOfOtherProgramsQ4KM) {
  const std::set<int64_t> sensitive = {0, 1, 2, 5, 8, 11, 14, 17, 20, 23, 24, 25, 26};  // 27 layers
  int n_checked = 0;
  for (const auto& [name, dtype] : all_dtypes_of("q4_k_m", v2_lite_shape())) {
    int64_t layer = name.starts_with("blk.") ? std::stoll(name.substr(4)) : -1;
    bool is_sensitive = sensitive.contains(layer);
    DType expected = DType::kQ4_K;
    if (ends_with_any(name, {"_norm.weight", "ffn_gate_inp.weight"})) expected = DType::kF32;
    if (ends_with_any(name, {"attn_k_b.weight", "attn_v_b.weight"})) expected = DType::kQ8_0;
    if (name == "output.weight") expected = DType::kQ6_K;
    // 1408 and 10944 columns are no multiple of 256, the shared experts' 2816 are.
    if (ends_with_any(name, {"ffn_down.weight", "ffn_down_exps.weight"})) expected = is_sensitive ? DType::kQ8_0 : DType::kQ5_0;
    if (name.ends_with("ffn_down_shexp.weight") && is_sensitive) expected = DType::kQ6_K;
    EXPECT_EQ(dtype_name(dtype), dtype_name(expected)) << name;
    n_checked++;
  }
  EXPECT_EQ(n_checked, 3 + 11 + 26 * 15);
}

TEST(QuantMix, GroupedQueryAttentionGetsMoreBitsForValues) {
  ModelConfig config = qwen_1_5b_shape();
  auto medium = all_dtypes_of("q4_k_m", config);
  EXPECT_EQ(medium.at("token_embd.weight"), DType::kQ4_K);
  EXPECT_EQ(medium.at("output.weight"), DType::kQ6_K);
  EXPECT_EQ(medium.at("blk.0.attn_v.weight"), DType::kQ6_K);  // 28 / 8 = 3: layers 0, 1, 2
  EXPECT_EQ(medium.at("blk.3.attn_v.weight"), DType::kQ4_K);
  EXPECT_EQ(medium.at("blk.5.ffn_down.weight"), DType::kQ6_K);  // (5 - 3) % 3 == 2
  EXPECT_EQ(medium.at("blk.0.attn_q.bias"), DType::kF32);
  auto small = all_dtypes_of("q4_k_s", config);
  EXPECT_EQ(small.at("blk.3.attn_v.weight"), DType::kQ5_K);
  EXPECT_EQ(small.at("blk.4.attn_v.weight"), DType::kQ4_K);
  EXPECT_EQ(small.at("blk.2.ffn_down.weight"), DType::kQ5_K);
  EXPECT_EQ(small.at("blk.3.ffn_down.weight"), DType::kQ4_K);
  auto two = all_dtypes_of("q2_k", config);
  EXPECT_EQ(two.at("blk.0.attn_v.weight"), DType::kQ4_K);  // 6 heads share one
  EXPECT_EQ(two.at("blk.0.ffn_down.weight"), DType::kQ3_K);
  EXPECT_EQ(two.at("blk.0.attn_output.weight"), DType::kQ3_K);
  EXPECT_EQ(two.at("blk.0.ffn_up.weight"), DType::kQ2_K);
  config.tied_embeddings = true;
  EXPECT_EQ(all_dtypes_of("q4_k_m", config).at("token_embd.weight"), DType::kQ6_K);
  EXPECT_EQ(all_dtypes_of("q8_0", config).at("token_embd.weight"), DType::kQ8_0);
}

TEST(QuantMix, RowsThatAreNoWholeBlocksFallBack) {
  const std::tuple<DType, int64_t, DType> cases[] = {
      {DType::kQ4_K, 256, DType::kQ4_K},    {DType::kQ4_K, 288, DType::kQ5_0},   {DType::kQ5_K, 288, DType::kQ5_1},
      {DType::kQ6_K, 288, DType::kQ8_0},    {DType::kQ3_K, 288, DType::kIQ4_NL}, {DType::kQ2_K, 288, DType::kIQ4_NL},
      {DType::kIQ4_XS, 32, DType::kIQ4_NL}, {DType::kQ4_0, 288, DType::kQ4_0},   {DType::kQ4_0, 48, DType::kF16},
      {DType::kQ6_K, 48, DType::kF16},      {DType::kF32, 1, DType::kF32},       {DType::kBF16, 7, DType::kBF16},
  };
  for (const auto& [wanted, n_cols, expected] : cases) {
    EXPECT_EQ(fitting_dtype(wanted, n_cols), expected) << dtype_name(wanted) << " of " << n_cols;
  }
  auto choice = choose_mix_dtype("q4_k_m", v2_lite_shape(), "blk.3.ffn_down_exps.weight", Shape{64, 2048, 1408});
  ASSERT_TRUE(choice.has_value());
  EXPECT_EQ(choice->wanted, DType::kQ4_K);
  EXPECT_EQ(choice->dtype, DType::kQ5_0);
}

TEST(QuantMix, EveryNameIsKnownAndOthersAreRefused) {
  ModelConfig config = v2_lite_shape();
  std::set<uint32_t> file_types;
  for (std::string_view mix : mix_names()) {
    for (const auto& [name, dtype] : all_dtypes_of(mix, config)) EXPECT_TRUE(dtype_info(dtype).is_float) << mix << " " << name;
    file_types.insert(mix_file_type(mix).value());
  }
  EXPECT_EQ(file_types.size(), mix_names().size());
  auto unknown = choose_mix_dtype("q4_k", config, "output.weight", Shape{4, 256});
  ASSERT_FALSE(unknown.has_value());
  EXPECT_NE(unknown.error().message.find("q4_k_m"), std::string::npos) << unknown.error().message;
}

}  // namespace
}  // namespace minke::testing
