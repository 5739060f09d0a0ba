#include "measure/model_cost.h"

#include <cmath>

#include "quantize/quant_mix.h"
#include "support/support.h"
#include "synthetic/named_configs.h"

namespace minke {
namespace {

ModelCost cost_of(const ModelConfig& config, std::string_view mix) {
  ModelWeights unused;
  ModelCost cost(config);
  for (const WeightRow& row : weight_rows(config, unused, true)) {
    cost.add(row, testing::value_of(mix_dtype(mix, config, row)));
  }
  return cost;
}

// Bytes of a weight.
constexpr double kQ4K = 144.0 / 256, kQ5_0 = 22.0 / 32, kQ6K = 210.0 / 256, kQ8_0 = 34.0 / 32, kF32 = 4;

// By hand: 27 layers, of them 13 "sensitive" (0 1 2, 5 8 11 14 17 20, 23 24 25 26), whose down projections are Q6_K; rows of
// 1408 and 10944 are no whole number of 256, so that there Q6_K becomes Q8_0 and Q4_K becomes Q5_0. The latent's
// up-projection is Q8_0, the head Q6_K. 6 of 64 experts.
TEST(ModelCost, OfDeepSeekV2LiteInQ4KM) {
  ModelCost cost = cost_of(testing::value_of(find_config("deepseek-v2-lite")), "q4_k_m");
  const double attention = 27 * ((3072 + 576 + 2048) * 2048 * kQ4K + 2 * 16 * 512 * 128 * kQ8_0);
  const double dense = 2 * 10944 * 2048 * kQ4K + 10944 * 2048 * kQ8_0;
  const double expert = 1408 * 2048;
  const double router = 26 * 64 * 2048 * kF32, shared_in = 26 * 2 * 2 * expert * kQ4K;
  const double shared_out = 2 * expert * (12 * kQ6K + 14 * kQ4K);
  const double all_experts = 64 * expert * (26 * 2 * kQ4K + 12 * kQ8_0 + 14 * kQ5_0);
  const double head = 102400 * 2048 * kQ6K, norms = (27 * (2 * 2048 + 512) + 2048) * kF32;
  const double always = attention + dense + router + shared_in + shared_out + head + norms;
  EXPECT_DOUBLE_EQ(cost.weight_bytes(1), always + all_experts * 6 / 64);
  EXPECT_NEAR(cost.weight_bytes(1) / 1e9, 1.637, 0.001);
  // Eight tokens of six experts each touch 64 (1 - (58/64)^8) = 34.9 of them, if they choose evenly.
  EXPECT_NEAR(cost.weight_bytes(8), always + all_experts * (1 - std::pow(58.0 / 64, 8)), 1);
  EXPECT_NEAR(cost.weight_bytes(1000000), always + all_experts, 1);

  const double products = 27 * ((3072 + 576 + 2048) * 2048.0 + 2 * 16 * 512 * 128) + 3 * 10944 * 2048.0 +
                          26 * (64 * 2048 + 3 * 2 * expert + 3 * 6 * expert);
  EXPECT_DOUBLE_EQ(cost.operations(512, 1), 2 * (512 * products + 102400 * 2048.0));
  EXPECT_EQ(cost.factors(), ModelCost::Factors::kBytes);
}

// 14 of 28 layers are "sensitive": attn_v and ffn_down are Q6_K there.
TEST(ModelCost, OfTheQwenDistillInQ4KM) {
  ModelCost cost = cost_of(testing::value_of(find_config("deepseek-r1-distill-qwen-1.5b")), "q4_k_m");
  const double same = 28 * (2 * 1536 * 1536 + 256 * 1536 + 2 * 8960 * 1536) * kQ4K;
  const double mixed = 14 * (256 * 1536 + 8960 * 1536) * (kQ4K + kQ6K);
  const double vectors = (28 * (2 * 1536 + 1536 + 2 * 256) + 1536) * kF32;
  EXPECT_DOUBLE_EQ(cost.weight_bytes(1), same + mixed + 151936 * 1536 * kQ6K + vectors);
  EXPECT_NEAR(cost.weight_bytes(1) / 1e9, 0.981, 0.001);
  EXPECT_EQ(cost.weight_bytes(1), cost.weight_bytes(8));
}

// The tied embedding is the head, and counts once.
TEST(ModelCost, OfATiedModelCountsTheHead) {
  ModelConfig config = testing::value_of(find_config("qwen3-0.6b"));
  ModelCost cost = cost_of(config, "f16");
  ParameterCount count = count_parameters(config);
  EXPECT_DOUBLE_EQ(cost.weight_bytes(1),
                   2.0 * static_cast<double>(count.total() - count.norms) + 4.0 * static_cast<double>(count.norms));
  EXPECT_DOUBLE_EQ(cost.operations(1, 1), 2.0 * static_cast<double>(count.total() - count.norms));
  EXPECT_EQ(cost.factors(), ModelCost::Factors::kF32);
  EXPECT_EQ(cost_of(config, "bf16").factors(), ModelCost::Factors::kBf16);
}

}  // namespace
}  // namespace minke
