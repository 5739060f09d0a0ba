// What does not fit is refused by name: config values, missing, left-over and misshapen tensors, batches.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "model/model.h"
#include "support/support.h"

namespace minke {
namespace {

namespace fs = std::filesystem;

std::string golden(const std::string& name) { return testing::repository_path("tests/goldens/models/" + name); }

// A copy of a golden checkpoint with changes to its config ("key" -> JSON).
struct Variant {
  testing::TemporaryDirectory directory;
  std::string path;

  Variant(const std::string& name, const std::vector<std::pair<std::string, Json>>& changes) : path(directory.file("model")) {
    fs::copy(golden(name), path, fs::copy_options::recursive);
    Json config = testing::value_of(read_json_file(path + "/config.json"));
    for (const auto& [key, value] : changes) config[key] = value;
    testing::value_of(write_file(path + "/config.json", dump_json(config)));
  }
};

TEST(Refusal, ConfigValuesAreNamedWithWhatIsSupported) {
  struct Case {
    std::string model, key;
    Json value;
    std::string message;
  };
  for (const Case& c : std::vector<Case>{
           {"qwen3", "hidden_act", "gelu", "hidden_act = \"gelu\" is not supported; supported: \"silu\""},
           {"qwen3", "model_type", "gemma3", "model_type = \"gemma3\" is not supported; supported: llama"},
           {"qwen3", "use_sliding_window", true, "use_sliding_window = true"},
           {"qwen3", "num_attention_heads", 0, "n_heads = 0"},
           {"qwen3", "num_attention_heads", "four", "num_attention_heads: expected an integer"},
           {"qwen3", "hidden_size", -48, "hidden_size = -48"},
           {"qwen3", "vocab_size", nullptr, "vocab_size: missing"},
           {"qwen3", "rope_scaling", {{"rope_type", "longrope"}, {"factor", 2}}, "rope_type = \"longrope\""},
           {"qwen3", "rope_scaling", {{"rope_type", "linear"}, {"factor", 0.5}}, "rope scaling factor = 0.5"},
           {"qwen3", "rope_scaling", {{"rope_type", "linear"}, {"factor", 2}, {"secret", 3}}, "unknown key \"secret\""},
           {"qwen3", "partial_rotary_factor", 0.5, "partial_rotary_factor"},
           {"qwen3", "layer_types", {"full_attention", "sliding_attention"}, "\"sliding_attention\" is not supported"},
           {"qwen3", "quantization_config", {{"quant_method", "gptq"}}, "quant_method = \"gptq\""},
           {"deepseek_v3", "topk_method", "magic", "topk_method = \"magic\""},
           {"deepseek_v3", "scoring_func", "softmax", "scoring_func = \"softmax\" with topk_method = \"noaux_tc\""},
           {"deepseek_v3", "n_group", 3, "not a multiple of n_groups = 3"},
           {"deepseek_v3", "num_experts_per_tok", 17, "n_experts_per_token = 17"},
           {"deepseek_v3", "index_topk", 64, "sparse attention"},
           {"deepseek_v3", "mlp_layer_types", {"sparse", "sparse", "sparse"}, "mlp_layer_types[0]"},
       }) {
    Variant variant(c.model, {{c.key, c.value}});
    EXPECT_ERROR(Model::load(variant.path), c.message);
  }
}

TEST(Refusal, UnknownKeysAreWarnedAboutByName) {
  Variant variant("qwen3", {{"a_new_idea", 3}, {"another", false}, {"nothing", nullptr}});
  std::unique_ptr<Model> model = testing::value_of(Model::load(variant.path));
  ASSERT_EQ(model->config().warnings.size(), 1u);
  EXPECT_NE(model->config().warnings[0].find("\"a_new_idea\""), std::string::npos);
}

TEST(Refusal, TensorsThatAreMissingLeftOverOrMisshapen) {
  Variant more_layers("qwen3", {{"num_hidden_layers", 9}});
  EXPECT_ERROR(Model::load(more_layers.path), "\"model.layers.");
  Variant fewer_layers("qwen3", {{"num_hidden_layers", 1}});
  EXPECT_ERROR(Model::load(fewer_layers.path), "not known to this architecture");
  Variant narrower("qwen3", {{"intermediate_size", 8}});
  EXPECT_ERROR(Model::load(narrower.path), "expected [8, ");
  Variant no_mtp("deepseek_v3", {{"num_nextn_predict_layers", 0}});
  EXPECT_ERROR(Model::load(no_mtp.path), "\"model.layers.3.");
  Variant no_scales("deepseek_v3_ue8m0", {{"quantization_config", nullptr}});
  EXPECT_ERROR(Model::load(no_scales.path), "is FP8, but config.json has no");
}

TEST(Refusal, BatchesThatDoNotFit) {
  std::unique_ptr<Model> model = testing::value_of(Model::load(golden("qwen3")));
  KvCache cache(model->config(), 64);
  std::vector<float> logits;
  auto forward = [&](std::vector<TokenId> tokens, SequenceCache& place) {
    Batch batch{tokens, {{&place, static_cast<int64_t>(tokens.size()), MlaForm::kNaive}}, {0}};
    return model->forward(logits, batch, cache, Context{nullptr, best_isa()});
  };
  SequenceCache place;
  EXPECT_ERROR(forward({1, 128}, place), "token 128");
  EXPECT_ERROR(forward({-1}, place), "token -1");
  EXPECT_ERROR(forward(std::vector<TokenId>(65, 1), place), "the KV cache holds 64 tokens");
  EXPECT_ERROR(forward(std::vector<TokenId>(4096, 1), place), "longer than the model's context");
  EXPECT_EQ(place.n_tokens, 0) << "a refused batch must not leave tokens behind";
  testing::value_of(forward(std::vector<TokenId>(64, 1), place));
  SequenceCache second;
  EXPECT_ERROR(forward({1}, second), "no room");
  cache.truncate(place, 0);
  testing::value_of(forward({1}, second));
}

}  // namespace
}  // namespace minke
