#include "synthetic/random_model.h"

#include <cmath>
#include <filesystem>

#include "base/file.h"
#include "model/model.h"
#include "model/weights.h"
#include "quantize/quant_mix.h"
#include "support/support.h"
#include "synthetic/named_configs.h"

namespace minke {
namespace {

RandomModelOptions options_of(const std::string& mix, ThreadPool* pool = nullptr, uint64_t seed = 1) {
  RandomModelOptions options;
  options.name = "random";
  options.mix = mix;
  options.seed = seed;
  options.context.pool = pool;
  return options;
}

// Logits of three tokens, by the scalar definition.
std::vector<float> logits_of(Model& model) {
  KvCache cache(model.config(), 8);
  SequenceCache sequence;
  Batch batch{.tokens = {1, 2, 3}, .sequences = {{&sequence, 3, MlaForm::kNaive}}, .logit_rows = {2}};
  std::vector<float> logits;
  testing::value_of(model.forward(logits, batch, cache, Context{}));
  return logits;
}

std::string small_config(const std::string& type, const std::string& more) {
  return R"({"model_type": ")" + type + R"(", "vocab_size": 300, "hidden_size": 64, "intermediate_size": 96,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5, "rope_theta": 10000, "hidden_act": "silu", "head_dim": 32, "bos_token_id": 1, "eos_token_id": 2)" +
         more + "}";
}

TEST(RandomModel, OfEveryMixLoadsRunsAndHasTheDtypesOfTheMix) {
  testing::TemporaryDirectory directory;
  ModelConfig config = testing::value_of(find_config("tiny"));
  for (std::string_view mix : mix_names()) {
    std::string path = directory.file(std::string(mix) + ".gguf");
    RandomModelReport report = testing::value_of(write_random_model(path, config, options_of(std::string(mix))));
    EXPECT_EQ(report.n_bytes, std::filesystem::file_size(path));
    std::unique_ptr<Model> model = testing::value_of(Model::load(path));
    EXPECT_EQ(model->files().tensors.size(), report.n_tensors);
    ModelWeights unused;
    for (const WeightRow& row : weight_rows(config, unused, true)) {
      const TensorView* tensor = model->files().tensors.find(row.gguf_name);
      ASSERT_NE(tensor, nullptr) << row.gguf_name;
      EXPECT_EQ(tensor->dtype, testing::value_of(mix_dtype(mix, config, row))) << mix << " " << row.gguf_name;
    }
    double squares = 0;
    for (float logit : logits_of(*model)) squares += static_cast<double>(logit) * logit;
    EXPECT_TRUE(std::isfinite(squares)) << mix;
    EXPECT_GT(squares, 0) << mix;
  }
}

TEST(RandomModel, OfOtherArchitecturesLoads) {
  testing::TemporaryDirectory directory;
  const std::string llama3 = R"(, "rope_scaling": {"rope_type": "llama3", "factor": 32, "low_freq_factor": 1,
    "high_freq_factor": 4, "original_max_position_embeddings": 8192}, "tie_word_embeddings": true)";
  for (const std::string& json : {small_config("llama", llama3), small_config("qwen2", ""), small_config("qwen3", "")}) {
    testing::value_of(write_file(directory.file("config.json"), json));
    ModelConfig config = testing::value_of(find_config(directory.file("config.json")));
    std::string path = directory.file(config.architecture + ".gguf");
    testing::value_of(write_random_model(path, config, options_of("q8_0")));
    std::unique_ptr<Model> model = testing::value_of(Model::load(path));
    EXPECT_EQ(model->config().tied_embeddings, config.tied_embeddings);
    EXPECT_EQ(logits_of(*model).size(), 300u);
  }
}

TEST(RandomModel, IsTheSameForASeedWhateverTheThreads) {
  testing::TemporaryDirectory directory;
  ModelConfig config = testing::value_of(find_config("tiny"));
  ThreadPool pool(3);
  auto bytes = [&](const std::string& name, const RandomModelOptions& options) {
    testing::value_of(write_random_model(directory.file(name), config, options));
    return testing::value_of(read_file(directory.file(name), 1 << 24));
  };
  std::string one = bytes("one.gguf", options_of("q4_k_m"));
  EXPECT_TRUE(one == bytes("three.gguf", options_of("q4_k_m", &pool)));
  EXPECT_FALSE(one == bytes("other.gguf", options_of("q4_k_m", &pool, 2)));
}

TEST(RandomModel, LeavesNothingWhenStoppedAndRefusesWhatIsThere) {
  testing::TemporaryDirectory directory;
  ModelConfig config = testing::value_of(find_config("tiny"));
  RandomModelOptions options = options_of("f16");
  options.progress = [](uint64_t done, uint64_t total) { return done < total / 2; };
  RandomModelReport report = testing::value_of(write_random_model(directory.file("a.gguf"), config, options));
  EXPECT_TRUE(report.stopped);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
  options.progress = nullptr;
  testing::value_of(write_random_model(directory.file("a.gguf"), config, options));
  EXPECT_ERROR(write_random_model(directory.file("a.gguf"), config, options), "exists already");
  options.overwrite = true;
  EXPECT_TRUE(write_random_model(directory.file("a.gguf"), config, options).has_value());
  EXPECT_ERROR(write_random_model(directory.file("b.gguf"), config, options_of("q9")), "unknown quant type q9");
}

// Totals as published: the checkpoints' own sizes; DeepSeek-V2-Lite "15.7 B".
TEST(NamedConfigs, HaveThePublishedParameters) {
  auto total = [](const char* name) { return count_parameters(testing::value_of(find_config(name))).total(); };
  EXPECT_EQ(total("deepseek-r1-distill-qwen-1.5b"), 1777088000);
  EXPECT_EQ(total("llama-3.2-1b"), 1235814400);
  EXPECT_EQ(total("qwen3-0.6b"), 596049920);
  EXPECT_EQ(total("deepseek-v2-lite"), 15706484224);
  for (const NamedConfig& row : named_configs()) {
    ModelConfig config = testing::value_of(find_config(std::string(row.name)));
    EXPECT_TRUE(config.warnings.empty()) << row.name << ": " << config.warnings[0];
  }
  EXPECT_ERROR(find_config("gpt-5"), "expected a file that ends in .json, or one of deepseek-v2-lite");
}

}  // namespace
}  // namespace minke
