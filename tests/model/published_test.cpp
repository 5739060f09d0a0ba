// Numbers that are published about real models, from their configs alone: parameters, attention scale, RoPE frequencies.
// Sources: the models' config.json and reports; the totals of the dense models are those of their checkpoints.
#include <cmath>

#include "base/file.h"
#include "model/arch/architecture.h"
#include "model/rope_table.h"
#include "model/weights.h"
#include "support/support.h"

namespace minke {
namespace {

ModelConfig config_of(const std::string& json) {
  testing::TemporaryDirectory directory;
  testing::value_of(write_file(directory.file("config.json"), json));
  return testing::value_of(read_hf_config(directory.file("config.json")));
}

std::string deepseek(const std::string& model_type, const std::string& rest) {
  return R"({"model_type": ")" + model_type + R"(", "hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 10000,
    "max_position_embeddings": 163840, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
    "moe_layer_freq": 1, "tie_word_embeddings": false, )" +
         rest + "}";
}

std::string yarn(double mscale) {
  return fmt::format(
      R"("rope_scaling": {{"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096, "beta_fast": 32,
    "beta_slow": 1, "mscale": {}, "mscale_all_dim": {}}})",
      mscale, mscale);
}

std::string v2_lite() {
  return deepseek("deepseek_v2",
                  R"("num_hidden_layers": 27, "first_k_dense_replace": 1, "hidden_size": 2048, "intermediate_size": 10944,
    "num_attention_heads": 16, "q_lora_rank": null, "n_routed_experts": 64, "n_shared_experts": 2, "num_experts_per_tok": 6,
    "moe_intermediate_size": 1408, "n_group": 1, "topk_group": 1, "scoring_func": "softmax", "topk_method": "greedy",
    "norm_topk_prob": false, "routed_scaling_factor": 1.0, "vocab_size": 102400, )" +
                      yarn(0.707));
}

std::string v2() {
  return deepseek("deepseek_v2",
                  R"("num_hidden_layers": 60, "first_k_dense_replace": 1, "hidden_size": 5120, "intermediate_size": 12288,
    "num_attention_heads": 128, "q_lora_rank": 1536, "n_routed_experts": 160, "n_shared_experts": 2, "num_experts_per_tok": 6,
    "moe_intermediate_size": 1536, "n_group": 8, "topk_group": 3, "scoring_func": "softmax", "topk_method": "group_limited_greedy",
    "norm_topk_prob": false, "routed_scaling_factor": 16.0, "vocab_size": 102400, )" +
                      yarn(0.707));
}

std::string v3() {
  return deepseek("deepseek_v3",
                  R"("num_hidden_layers": 61, "first_k_dense_replace": 3, "hidden_size": 7168, "intermediate_size": 18432,
    "num_attention_heads": 128, "q_lora_rank": 1536, "n_routed_experts": 256, "n_shared_experts": 1, "num_experts_per_tok": 8,
    "moe_intermediate_size": 2048, "n_group": 8, "topk_group": 4, "scoring_func": "sigmoid", "topk_method": "noaux_tc",
    "norm_topk_prob": true, "routed_scaling_factor": 2.5, "vocab_size": 129280, "num_nextn_predict_layers": 1,
    "quantization_config": {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128], "activation_scheme": "dynamic"}, )" +
                      yarn(1.0));
}

std::string dense(const std::string& type, int layers, int hidden, int ff, int heads, int kv, int vocab) {
  return fmt::format(
      R"({{"model_type": "{}", "num_hidden_layers": {}, "hidden_size": {}, "intermediate_size": {}, "num_attention_heads": {},
    "num_key_value_heads": {}, "vocab_size": {}, "max_position_embeddings": 131072, "rms_norm_eps": 1e-6, "rope_theta": 500000.0,
    "hidden_act": "silu", "tie_word_embeddings": false, "use_sliding_window": false, "sliding_window": 4096, "max_window_layers": 21{}}})",
      type, layers, hidden, ff, heads, kv, vocab,
      type == "llama" ? R"(, "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                       "high_freq_factor": 4.0, "original_max_position_embeddings": 8192})"
                      : "");
}

TEST(Published, ParametersOfTheDistilledModelsAreExact) {
  struct Row {
    std::string json;
    int64_t total;
  };
  for (const Row& row : std::vector<Row>{
           {dense("qwen2", 28, 1536, 8960, 12, 2, 151936), 1777088000},
           {dense("qwen2", 28, 3584, 18944, 28, 4, 152064), 7615616512},
           {dense("qwen2", 48, 5120, 13824, 40, 8, 152064), 14770033664},
           {dense("qwen2", 64, 5120, 27648, 40, 8, 152064), 32763876352},
           {dense("llama", 32, 4096, 14336, 32, 8, 128256), 8030261248},
           {dense("llama", 80, 8192, 28672, 64, 8, 128256), 70553706496},
       }) {
    ParameterCount count = count_parameters(config_of(row.json));
    EXPECT_EQ(count.total(), row.total);
    EXPECT_EQ(count.active, row.total);
  }
}

TEST(Published, ParametersOfTheMoeModels) {
  struct Row {
    std::string json;
    double total, active;       // billions, as published to this many digits
    int64_t attention_a_layer;  // latent norms included
  };
  for (const Row& row : std::vector<Row>{
           {v2_lite(), 15.706, 2.66, 13763072}, {v2(), 235.741, 21.4, 149227520}, {v3(), 671.026, 37.6, 187107328}}) {
    ModelConfig config = config_of(row.json);
    ParameterCount count = count_parameters(config);
    EXPECT_NEAR(static_cast<double>(count.total()) / 1e9, row.total, 0.0005);
    EXPECT_NEAR(static_cast<double>(count.active) / 1e9, row.active, 0.05);
    EXPECT_EQ(count.attention / config.n_layers + config.q_lora_rank + config.kv_lora_rank, row.attention_a_layer);
    // README_WEIGHTS of DeepSeek-V3: 11.5 B in the module without eh_proj (2 * 7168 * 7168) and what it shares.
    EXPECT_NEAR(static_cast<double>(count.mtp) / 1e9, config.n_mtp_layers > 0 ? 11.5 + 0.103 : 0, 0.05);
  }
}

TEST(Published, AttentionScaleWithYarn) {
  EXPECT_NEAR(config_of(v3()).softmax_scale, 0.1352338, 1e-7);
  EXPECT_NEAR(config_of(v2_lite()).softmax_scale, 0.1147214, 1e-7);
}

TEST(Published, YarnFrequenciesOfDeepSeek) {
  RopeFrequencies f = rope_frequencies(config_of(v3()).rope, {});
  ASSERT_EQ(f.inverse.size(), 32u);
  EXPECT_EQ(f.magnitude, 1.0f);  // mscale / mscale_all_dim
  auto plain = [](int i) { return std::pow(10000.0, -2.0 * i / 64.0); };
  EXPECT_EQ(f.inverse[0], 1.0f);
  EXPECT_FLOAT_EQ(f.inverse[10], static_cast<float>(plain(10)));  // up to here untouched
  EXPECT_FLOAT_EQ(f.inverse[11], static_cast<float>(plain(11) * (12.0 / 13 + 1.0 / 13 / 40)));
  EXPECT_FLOAT_EQ(f.inverse[23], static_cast<float>(plain(23) / 40));  // from here divided
  EXPECT_FLOAT_EQ(f.inverse[31], static_cast<float>(plain(31) / 40));
}

TEST(Published, Llama3FrequenciesFallIntoThreeBuckets) {
  RopeFrequencies f = rope_frequencies(config_of(dense("llama", 32, 4096, 14336, 32, 8, 128256)).rope, {});
  int n_same = 0, n_divided = 0;
  for (size_t i = 0; i < f.inverse.size(); i++) {
    double plain = std::pow(500000.0, -2.0 * static_cast<double>(i) / 128.0), ratio = f.inverse[i] / plain;
    if (std::abs(ratio - 1) < 1e-6) n_same++;
    if (std::abs(ratio - 0.125) < 1e-6) n_divided++;
  }
  EXPECT_EQ(n_same, 29);
  EXPECT_EQ(n_divided, 29);
  EXPECT_EQ(f.inverse.size(), 64u);
}

}  // namespace
}  // namespace minke
