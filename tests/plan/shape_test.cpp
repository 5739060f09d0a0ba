// Parameters against the rows of the weight table, operations against sums written out here, and the counts that makers print.
#include <gtest/gtest.h>

#include <filesystem>

#include "model/weights.h"
#include "plan/shape/compute.h"
#include "plan/shape/exchange.h"
#include "plan/shape/parameters.h"
#include "plan/tables/tables.h"

namespace minke::plan {
namespace {

void expect_same_counts(const ModelConfig& config, const std::string& name) {
  ModelParameters p = model_parameters(config);
  ParameterCount rows = count_parameters(config);
  EXPECT_EQ(p.embedding, rows.embedding) << name;
  EXPECT_EQ(p.lm_head, rows.lm_head) << name;
  EXPECT_EQ(p.attention, rows.attention) << name;
  EXPECT_EQ(p.dense_mlp, rows.dense_mlp) << name;
  EXPECT_EQ(p.shared_experts, rows.shared_experts) << name;
  EXPECT_EQ(p.routed_experts, rows.routed_experts) << name;
  EXPECT_EQ(p.routers, rows.routers) << name;
  EXPECT_EQ(p.norms, rows.norms) << name;
  EXPECT_EQ(p.total(), rows.total()) << name;
  EXPECT_EQ(p.active, rows.active) << name;
  EXPECT_EQ(p.mtp, rows.mtp) << name;
}

// Small models of every architecture, with biases, tied heads, post-norms, MTP and odd layer frequencies among them.
TEST(Parameters, AgreeWithTheWeightTableOnEveryGolden) {
  int n = 0;
  for (const auto& entry : std::filesystem::directory_iterator("tests/goldens/models")) {
    auto path = entry.path() / "config.json";
    if (!std::filesystem::exists(path)) continue;
    auto config = read_hf_config(path.string());
    ASSERT_TRUE(config.has_value()) << config.error().message;
    expect_same_counts(*config, path.string());
    n++;
  }
  EXPECT_GE(n, 10);
}

TEST(Parameters, AgreeWithTheWeightTableOnPublishedModels) {
  Tables tables = Tables::builtin();
  for (const char* name : {"deepseek-v3", "deepseek-v2", "llama-3.1-405b", "qwen2.5-72b"}) {
    expect_same_counts(tables.model(name)->config, name);
  }
}

// The coarsest published count is 67 B: half of its last digit is 0.75 %. Active counts leave the embeddings in or out.
TEST(Parameters, ComeToWhatTheMakersPrint) {
  Tables tables = Tables::builtin();
  for (const ModelRow& row : tables.models()) {
    ModelParameters p = model_parameters(row.config);
    EXPECT_NEAR(static_cast<double>(p.total()) / row.published_parameters, 1, 0.0075) << row.name;
    if (row.published_active == 0) continue;
    double low = static_cast<double>(p.active_matmul), high = static_cast<double>(p.active);
    EXPECT_GT(row.published_active, low * 0.97) << row.name;
    EXPECT_LT(row.published_active, high * 1.03 + static_cast<double>(p.embedding)) << row.name;
  }
}

TEST(Parameters, OfATokenAreThoseOfThePublishedBlocks) {
  ModelConfig v3 = Tables::builtin().model("deepseek-v3")->config;
  ModelParameters p = model_parameters(v3);
  // The figures of docs/plan.md: an expert, and MLA without its norms.
  EXPECT_EQ(p.moe_layer.one_expert, 3 * 7168 * 2048);
  int64_t mla = 7168 * 1536 + 1536 * 128 * 192 + 7168 * 576 + 512 * 128 * 256 + 128 * 128 * 7168;
  EXPECT_EQ(p.moe_layer.attention, mla);
  EXPECT_EQ(p.routed_per_token, 58 * 8 * p.moe_layer.one_expert);
}

TEST(Compute, MlaAbsorbedIsTheSumOfTheIssue) {
  ModelConfig v3 = Tables::builtin().model("deepseek-v3")->config;
  // 2 x heads x (576 + 512) x layers for every key.
  EXPECT_DOUBLE_EQ(attention_flops(v3, 1, MlaForm::kAbsorbed).value(), 2.0 * 128 * 1088 * 61);
  EXPECT_DOUBLE_EQ(attention_flops(v3, 1, MlaForm::kNaive).value(), 2.0 * 128 * 320 * 61);
}

TEST(Compute, TrainingIsThreeForwardsAndMtpAddsOneLayerAndAHead) {
  ModelConfig v3 = Tables::builtin().model("deepseek-v3")->config;
  double forward = linear_flops(v3).value() + attention_flops(v3, 2048).value();
  EXPECT_DOUBLE_EQ(training_flops(v3, 4096, AttentionCount::kCausal).value(), 3 * forward);
  ModelParameters p = model_parameters(v3);
  double layer =
      static_cast<double>(p.moe_layer.attention + p.moe_layer.shared_experts + 8 * p.moe_layer.one_expert + 256 * 7168);
  double module = layer + 2.0 * 7168 * 7168 + 129280.0 * 7168;
  double added = training_flops(v3, 4096, AttentionCount::kCausal, true).value() - 3 * forward;
  EXPECT_NEAR(added, 3 * (2 * module + attention_flops(v3, 2048).value() / 61), 1e-6 * added);
}

TEST(Compute, TouchedExpertsGoFromTopKToAll) {
  ModelConfig v3 = Tables::builtin().model("deepseek-v3")->config;
  EXPECT_NEAR(touched_experts(v3, 1), 8, 1e-9);
  EXPECT_NEAR(touched_experts(v3, 4), 30.5, 0.05);  // the figure for four streams in docs/plan.md
  EXPECT_NEAR(touched_experts(v3, 1e6), 256, 1e-6);
}

// Eight picks over eight nodes reach 8 (1 - (7/8)^8) = 5.25; V3 limits them to four.
TEST(Exchange, ReachesNodesUpToTheLimit) {
  EXPECT_NEAR(reached_groups(8, 8, 8), 5.25, 0.005);
  EXPECT_DOUBLE_EQ(reached_groups(8, 8, 4), 4);
  EXPECT_DOUBLE_EQ(reached_groups(1, 8, 4), 1);
}

TEST(Exchange, IsBoundByTheSlowerLink) {
  ModelConfig v3 = Tables::builtin().model("deepseek-v3")->config;
  ExpertExchange e{.n_tokens = 4096,
                   .n_devices = 64,
                   .bytes_per_value = 3,
                   .scale_up = gigabytes_per_s(160),
                   .scale_out = gigabytes_per_s(40),
                   .scale_up_size = 8};
  // Four of eight nodes, seven eighths of them elsewhere; inside a node seven eighths of eight copies.
  double outside = 4 * 7.0 / 8 * 4096 * 7168 * 3 / 40e9, inside = 8 * 7.0 / 8 * 4096 * 7168 * 3 / 160e9;
  ASSERT_GT(outside, inside);
  EXPECT_DOUBLE_EQ(exchange_time(v3, e).value(), outside);
  e.scale_out = gigabytes_per_s(4000);
  EXPECT_DOUBLE_EQ(exchange_time(v3, e).value(), inside);
}

}  // namespace
}  // namespace minke::plan
