// Adapters: gradients against those of the whole weights, the same logits from training, file and merged model, and the loop
// on a frozen quantised model.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "convert/convert.h"
#include "data/make_shard.h"
#include "data/shard_writer.h"
#include "format/folder.h"
#include "format/safetensors_writer.h"
#include "kernels/convert.h"
#include "support/support.h"
#include "tiny.h"
#include "train/loop/training_run.h"
#include "train/row_file.h"
#include "workshop.h"

namespace minke::testing {
namespace {

namespace fs = std::filesystem;

std::string stories(const std::string& name) { return repository_path("tests/data/models/stories260K/" + name); }
std::string grads(const std::string& name) { return repository_path("tests/goldens/grads/" + name); }

const std::vector<std::string> kLlamaTargets = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"};
const std::vector<std::string> kMlaTargets = {"q_a_proj",  "q_b_proj", "kv_a_proj_with_mqa", "o_proj",
                                              "gate_proj", "up_proj",  "down_proj"};

// A and B with numbers in (-bound, bound), B among them.
void fill_adapters(ParameterStore& store, float bound) {
  uint64_t at = 0;
  for (Parameter& p : store.parameters()) {
    auto* values = reinterpret_cast<float*>(p.value);
    for (int64_t i = 0; i < p.n; i++) {
      values[i] = bound * static_cast<float>(static_cast<int64_t>(mix_seed(11, at++) >> 40) - (1 << 23)) * 0x1p-23f;
    }
  }
}

// A model as it lies in its file, with adapters that do something.
struct Adapted {
  std::unique_ptr<Model> model;
  std::unique_ptr<ParameterStore> store;

  Adapted(const std::string& path, const AdapterConfig& adapter, float bound) : model(value_of(Model::load(path))) {
    store = value_of(ParameterStore::create_adapters(*model, adapter, {}));
    fill_adapters(*store, bound);
  }
};

// The folder of an adapter, as a checkpoint of training writes it.
std::string write_adapter(const TemporaryDirectory& folder, const std::string& name, const Adapted& adapted,
                          const AdapterConfig& adapter) {
  const auto optimizer = value_of(Optimizer::create(adapted.store->parameters(), {}));
  const std::string config = write_adapter_config(adapter, adapted.model->config(), "base");
  return value_of(write_checkpoint(folder.file(name), {}, {adapted.model->config(), *adapted.store, *optimizer, {}, config}));
}

std::vector<float> logits_of(Model& model) {
  constexpr int64_t kTokens = 21;
  KvCache cache(model.config(), kTokens);
  SequenceCache sequence;
  Batch batch;
  for (int64_t i = 0; i < kTokens; i++) {
    batch.tokens.push_back(static_cast<TokenId>((i * 37 + 5) % model.config().vocab_size));
    batch.logit_rows.push_back(i);
  }
  batch.sequences.push_back({&sequence, kTokens, MlaForm::kNaive});
  std::vector<float> logits;
  value_of(model.forward(logits, batch, cache, Context{nullptr, best_isa()}));
  return logits;
}

std::vector<float> logits_of(const std::string& path, const std::string& adapter = "") {
  const std::unique_ptr<Model> model = value_of(Model::load(path, {.adapter = adapter}));
  return logits_of(*model);
}

double relative_norm(const std::vector<float>& expected, const std::vector<float>& actual) {
  double norm = 0, difference = 0;
  for (size_t i = 0; i < expected.size(); i++) {
    norm += double{expected[i]} * expected[i];
    difference += (double{expected[i]} - actual[i]) * (double{expected[i]} - actual[i]);
  }
  return std::sqrt(difference / norm);
}

// --- gradients
// ----------------------------------------------------------------------------------------------------------------

struct LoraGradientCase {
  const char* name;
  std::vector<std::string> targets;
};
void PrintTo(const LoraGradientCase& c, std::ostream* out) { *out << c.name; }

class AdapterGradients : public ::testing::TestWithParam<LoraGradientCase> {};

LossOptions loss_options(const Json& loss, const TrainingRows& rows) {
  LossOptions options;
  options.balance_alpha = loss["alpha"];
  options.mtp_lambda = loss["lambda"];
  options.n_rows = static_cast<int64_t>(rows.row_lengths.size());
  options.mtp_weight_factor = mean_mtp_factor(rows);
  return options;
}

const Parameter* parameter_of(const ParameterStore& store, const std::string& name) {
  for (const Parameter& p : store.parameters()) {
    if (p.name == name) return &p;
  }
  return nullptr;
}

double largest(const float* values, int64_t n) {
  double most = 0;
  for (int64_t i = 0; i < n; i++) most = std::max(most, std::fabs(double{values[i]}));
  return most;
}

// With W' = W + s B A and the gradient G of W' from training all weights at W': dA = s B^T G, dB = s G A^T.
// Bound: both sides come from gradients that are right to 5e-5 of their tensor's largest element (gradient_test.cpp), and each
// element here is a sum of `rows` (`cols`) of them with factors of at most s * bound.
TEST_P(AdapterGradients, AreThoseOfTheWeightsTimesTheOtherFactor) {
  constexpr float kBound = 0.1f;
  const AdapterConfig adapter = {.rank = 3, .alpha = 6, .rslora = false, .targets = GetParam().targets};
  const Json loss = value_of(read_json_file(grads(GetParam().name) + "/loss.json"));
  const std::string path = repository_path("tests/goldens/" + loss["model"].get<std::string>());
  ThreadPool pool(2);
  const Context context{&pool, best_isa()};
  Adapted adapted(path, adapter, kBound);
  const TrainingRows rows = value_of(read_row_file(grads(GetParam().name) + "/rows.jsonl", adapted.model->config().vocab_size));

  const std::unique_ptr<Model> whole = Model::create(adapted.model->config());
  const auto weights = value_of(ParameterStore::create(whole->config(), whole->mutable_weights(), {}));
  value_of(weights->copy_from(*adapted.model, context));
  std::span<Parameter> factors = adapted.store->parameters();
  ASSERT_GE(factors.size(), 2 * GetParam().targets.size());
  const auto matrix_of = [&](const Parameter& a) {
    const std::string module = a.name.substr(17, a.name.size() - 17 - std::string_view(".lora_A.weight").size());
    return parameter_of(*weights, module + ".weight");
  };
  const double s = adapter.scale();
  for (size_t i = 0; i < factors.size(); i += 2) {
    const auto *a = reinterpret_cast<const float*>(factors[i].value), *b = reinterpret_cast<const float*>(factors[i + 1].value);
    const Parameter* w = matrix_of(factors[i]);
    ASSERT_NE(w, nullptr) << factors[i].name;
    const int64_t n_cols = w->shape[1];
    for (int64_t j = 0; j < w->n; j++) {
      double sum = 0;
      for (int64_t k = 0; k < adapter.rank; k++) sum += double{b[j / n_cols * adapter.rank + k]} * a[k * n_cols + j % n_cols];
      reinterpret_cast<float*>(w->value)[j] += static_cast<float>(s * sum);
    }
  }
  TrainingPass whole_pass = value_of(TrainingPass::create(*whole)), pass = value_of(TrainingPass::create(*adapted.model));
  for (const bool recompute : {false, true}) {
    adapted.store->zero_grads(context);
    weights->zero_grads(context);
    LossOptions options = loss_options(loss, rows);
    options.recompute = recompute;
    const double expected = value_of(whole_pass.run(rows, options, context)).total;
    EXPECT_NEAR(value_of(pass.run(rows, options, context)).total, expected, 1e-5 * expected);
    for (size_t i = 0; i < factors.size(); i += 2) {
      const Parameter &pa = factors[i], &pb = factors[i + 1], *w = matrix_of(pa);
      const auto *a = reinterpret_cast<const float*>(pa.value), *b = reinterpret_cast<const float*>(pb.value);
      const int64_t n_rows = w->shape[0], n_cols = w->shape[1];
      const double unit = 2 * 5e-5 * s * kBound * largest(w->grad, w->n);
      double worst_a = 0, worst_b = 0;
      for (int64_t k = 0; k < adapter.rank; k++) {
        for (int64_t c = 0; c < n_cols; c++) {
          double sum = 0;
          for (int64_t r = 0; r < n_rows; r++) sum += double{b[r * adapter.rank + k]} * w->grad[r * n_cols + c];
          worst_a = std::max(worst_a, std::fabs(s * sum - double{pa.grad[k * n_cols + c]}));
        }
        for (int64_t r = 0; r < n_rows; r++) {
          double sum = 0;
          for (int64_t c = 0; c < n_cols; c++) sum += double{w->grad[r * n_cols + c]} * a[k * n_cols + c];
          worst_b = std::max(worst_b, std::fabs(s * sum - double{pb.grad[r * adapter.rank + k]}));
        }
      }
      EXPECT_LE(worst_a, unit * static_cast<double>(n_rows)) << pa.name;
      EXPECT_LE(worst_b, unit * static_cast<double>(n_cols)) << pb.name;
      EXPECT_GT(largest(pa.grad, pa.n), 10 * unit) << pa.name << ": the bound would hide everything";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Goldens, AdapterGradients,
                         ::testing::Values(LoraGradientCase{"llama", kLlamaTargets}, LoraGradientCase{"qwen2", kLlamaTargets},
                                           LoraGradientCase{"deepseek_v3_mtp", kMlaTargets},
                                           LoraGradientCase{"deepseek_v2_groups", {"kv_a_proj_with_mqa", "o_proj", "up_proj"}}),
                         [](const auto& c) { return std::string(c.param.name); });

// --- files and merged models
// ----------------------------------------------------------------------------------------------------

TEST(Adapters, WithBZeroChangeNoBit) {
  const std::string path = grads("models/deepseek_v3_mtp");
  Adapted adapted(path, {.rank = 2, .alpha = 4, .rslora = true, .targets = kMlaTargets}, 0);
  adapted.store->initialize_adapters(3, {});
  EXPECT_EQ(logits_of(*adapted.model), logits_of(path));
}

TEST(Adapters, GiveTheBitsOfTrainingFromTheirFiles) {
  TemporaryDirectory folder;
  for (const std::string& base : {grads("models/deepseek_v3_mtp"), stories("gguf/stories260K-q8_0.gguf")}) {
    SCOPED_TRACE(base);
    const bool is_gguf = base.ends_with(".gguf");
    const AdapterConfig adapter = {.rank = 2, .alpha = 3, .rslora = true, .targets = is_gguf ? kLlamaTargets : kMlaTargets};
    Adapted adapted(base, adapter, 0.2f);
    const std::string written = write_adapter(folder, is_gguf ? "gguf" : "hf", adapted, adapter);
    EXPECT_EQ(logits_of(base, written), logits_of(*adapted.model));
    EXPECT_NE(logits_of(base), logits_of(*adapted.model));
  }
}

// A merged weight is rounded once more than the sum of two products, 2^-24 of it, and so are all that follow: about 1e-6 in
// all, where a missing or misplaced adapter is seen in the first digit.
constexpr double kMergeTolerance = 2e-5;

TEST(Adapters, MergedGiveTheSameLogits) {
  TemporaryDirectory folder;
  for (const std::string& base : {grads("models/deepseek_v3_mtp"), stories("hf"), stories("gguf/stories260K-q8_0.gguf")}) {
    SCOPED_TRACE(base);
    const AdapterConfig adapter = {.rank = 2, .alpha = 3, .rslora = false, .targets = {"o_proj", "up_proj", "down_proj"}};
    AdapterConfig all = adapter;
    if (base.find("stories") != std::string::npos) all.targets = kLlamaTargets;
    Adapted adapted(base, all, 0.2f);
    const std::string name = std::to_string(fs::hash_value(base));
    ConvertOptions options;
    options.lora = write_adapter(folder, name, adapted, all);
    options.dtype = DType::kF32;
    const std::vector<float> expected = logits_of(*adapted.model);
    EXPECT_GT(relative_norm(logits_of(base), expected), 0.05);
    for (const char* suffix : {".gguf", ".hf"}) {
      value_of(convert_model(base, folder.file(name + suffix), options));
      EXPECT_LT(relative_norm(expected, logits_of(folder.file(name + suffix))), kMergeTolerance) << suffix;
    }
  }
}

// A GGUF file of the Llama family has rows in another order; the adapter's file does not.
TEST(Adapters, MeanTheSameOnBothFormats) {
  TemporaryDirectory folder;
  value_of(convert_model(stories("hf"), folder.file("base.gguf")));
  const AdapterConfig adapter = {.rank = 4, .alpha = 4, .rslora = false, .targets = {"q_proj", "k_proj"}};
  Adapted adapted(folder.file("base.gguf"), adapter, 0.3f);
  const std::string written = write_adapter(folder, "adapter", adapted, adapter);
  const std::vector<float> expected = logits_of(*adapted.model);
  EXPECT_GT(relative_norm(logits_of(folder.file("base.gguf")), expected), 0.01);
  EXPECT_LT(relative_norm(expected, logits_of(stories("hf"), written)), kMergeTolerance);
}

TEST(Adapters, QuantisedWeightsAreNotMergedWithoutAFloatType) {
  TemporaryDirectory folder;
  const std::string base = stories("gguf/stories260K-q8_0.gguf");
  const AdapterConfig adapter = {.rank = 1, .alpha = 1, .rslora = false, .targets = {"q_proj"}};
  ConvertOptions options;
  options.lora = write_adapter(folder, "adapter", Adapted(base, adapter, 0.1f), adapter);
  for (const char* name : {"merged", "merged.gguf"})
    EXPECT_ERROR(convert_model(base, folder.file(name), options), "--dtype f32");
  options.dtype = DType::kQ8_0;
  EXPECT_ERROR(convert_model(base, folder.file("merged.gguf"), options), "--dtype f32");
}

TEST(Adapters, RefuseWhatDoesNotFit) {
  TemporaryDirectory folder;
  const std::string base = stories("hf");
  const AdapterConfig adapter = {.rank = 2, .alpha = 1, .rslora = false, .targets = {"q_proj"}};
  const std::string written = write_adapter(folder, "adapter", Adapted(base, adapter, 0.1f), adapter);
  EXPECT_ERROR(Model::load(base, {.adapter = folder.file("none")}), "adapter_config.json: missing");
  EXPECT_ERROR(Model::load(grads("models/llama"), {.adapter = written}), "another model");
  const std::string path = written + "/adapter_config.json";
  const Json good = value_of(read_json_file(path));
  for (const auto& [key, value, text] :
       std::vector<std::tuple<std::string, Json, std::string>>{{"r", 3, "r is not its rank"},
                                                               {"r", 0, "\"r\": expected an integer"},
                                                               {"use_dora", true, "use_dora"},
                                                               {"bias", "all", "bias"},
                                                               {"peft_type", "IA3", "peft_type"},
                                                               {"init_lora_weights", "pissa", "init_lora_weights"},
                                                               {"rank_pattern", {{"q_proj", 4}}, "rank_pattern"}}) {
    Json changed = good;
    changed[key] = value;
    value_of(write_file(path, dump_json(changed)));
    EXPECT_ERROR(Model::load(base, {.adapter = written}), text);
  }
  const std::unique_ptr<Model> model = value_of(Model::load(base));
  for (const std::string target : {"q_prj", "kv_b_proj", "mlp.experts", "lm_head", "all-linear", ""}) {
    EXPECT_ERROR(ParameterStore::create_adapters(*model, {.rank = 1, .alpha = 1, .rslora = false, .targets = {target}}, {}),
                 "this model's are q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj");
  }
}

// --- the loop
// -----------------------------------------------------------------------------------------------------------------

constexpr int64_t kLoraVocab = 512;  // of stories260K

// Each token follows from the one before it, by a rule that no story has.
void write_rule_shard(const std::string& path, const std::string& vocabulary, uint64_t seed, int64_t n_documents) {
  ShardWriter writer = value_of(ShardWriter::create(path, kLoraVocab, vocabulary));
  for (int64_t d = 0; d < n_documents; d++) {
    std::vector<TokenId> tokens = {static_cast<TokenId>(300 + mix_seed(seed, static_cast<uint64_t>(d)) % 16)};
    while (tokens.size() < 24) tokens.push_back(300 + (5 * tokens.back() + 7) % 16);
    value_of(writer.append(tokens, {}));
    writer.end_document(mix_seed(seed, static_cast<uint64_t>(1000 + d)));
  }
  value_of(writer.finish());
}

constexpr const char* kLora = R"(  [stage.lora]
  rank = 4
  alpha = 8.0
  rslora = false
  targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
  dropout = 0.0

  [stage.data])";

// The second stage of recipes/tiny-test.toml with adapters on a frozen q8_0 model.
class LoraWorkshop {
 public:
  LoraWorkshop() {
    fs::copy_file(stories("gguf/stories260K-q8_0.gguf"), folder_.path() / "base.gguf");
    const ModelFiles base = value_of(open_model(folder_.file("base.gguf")));
    const Tokenizer tokenizer = value_of(Tokenizer::from_gguf(base.gguf, "base.gguf"));
    write_rule_shard(folder_.file("chat.shard"), vocabulary_digest(tokenizer), 1, 200);
  }

  Result<std::vector<recipe::Recipe>> recipes(const std::string& out,
                                              const std::vector<std::pair<std::string, std::string>>& changes = {}) const {
    std::string text = read_test_file(repository_path("recipes/tiny-test.toml"));
    text = text.substr(text.find("[[stage]]", text.find("[[stage]]") + 1));
    for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
             {"out/sft", out}, {"out/pretrain", "base.gguf"}, {"  [stage.data]", kLora}, {"lr = 1e-3", "lr = 5e-3"}}) {
      text = replaced(text, from, to);
    }
    for (const auto& [from, to] : changes) text = replaced(text, from, to);
    return recipe::parse_recipes(text, "lora.toml", folder_.path().string());
  }
  recipe::Recipe recipe(const std::string& out, const std::vector<std::pair<std::string, std::string>>& changes = {}) const {
    return value_of(recipes(out, changes)).at(0);
  }

  std::string file(const std::string& name) const { return folder_.file(name); }
  std::string bytes(const std::string& out, const std::string& name) const { return checkpoint_bytes(folder_.file(out), name); }

 private:
  TemporaryDirectory folder_;
};

TEST(AdapterRun, LearnsOnAFrozenQuantisedModel) {
  LoraWorkshop workshop;
  ThreadPool pool(2);
  const std::string base = value_of(read_file(workshop.file("base.gguf"), size_t{1} << 24));
  const recipe::Recipe recipe = workshop.recipe("out", {{"total_tokens = 1024", "total_tokens = 12800"},
                                                        {"sample_every_steps = 0", "sample_every_steps = 100"},
                                                        {"sample_prompts = []", "sample_prompts = [\"Once\"]"},
                                                        {"sample_tokens = 0", "sample_tokens = 4"}});
  std::unique_ptr<TrainingRun> run = value_of(TrainingRun::open(recipe, {}, {&pool, best_isa()}));
  std::vector<StepRecord> records;
  RunHooks hooks;
  hooks.on_step = [&](const StepRecord& record) {
    records.push_back(record);
    return Status();
  };
  EXPECT_EQ(value_of(run->run(hooks)), RunEnd::kFinished);
  EXPECT_GT(records.front().cross_entropy, 4.0);  // of stories: the rule is unheard of
  ASSERT_TRUE(records.back().validation_loss);
  EXPECT_LT(*records.back().validation_loss, 1.0);
  EXPECT_EQ(records.back().samples.size(), 1u);
  EXPECT_TRUE(value_of(read_file(workshop.file("base.gguf"), size_t{1} << 24)) == base);

  // What inference reads is what was trained, and a run's folder is no parent for training all weights.
  const std::string last = value_of(list_checkpoints(recipe.out)).back().path;
  EXPECT_GT(relative_norm(logits_of(workshop.file("base.gguf")), logits_of(workshop.file("base.gguf"), last)), 0.05);
  EXPECT_ERROR(TrainingRun::open(workshop.recipe("next", {{"base.gguf", "out"}}), {}, Context{}),
               "minke convert BASE NEW --lora");
}

TEST(AdapterRun, GoesOnToTheSameBits) {
  LoraWorkshop workshop;
  ThreadPool pool(2);
  const Context context{&pool, best_isa()};
  EXPECT_EQ(train(workshop.recipe("whole"), context), RunEnd::kFinished);
  const recipe::Recipe recipe = workshop.recipe("parts");
  for (int64_t n_polls : {3, 1, 5}) EXPECT_EQ(train(recipe, context, n_polls), RunEnd::kStopped);
  EXPECT_EQ(train(recipe, {nullptr, best_isa()}), RunEnd::kFinished);
  for (const char* name : {"adapter_model.safetensors", "optimizer.safetensors", "adapter_config.json"}) {
    EXPECT_TRUE(workshop.bytes("whole", name) == workshop.bytes("parts", name)) << name;
  }
}

TEST(AdapterRun, RecipesSayWhatIsWrong) {
  LoraWorkshop workshop;
  EXPECT_ERROR(workshop.recipes("out", {{"rank = 4", "rank = 0"}}), "lora.rank");
  EXPECT_ERROR(workshop.recipes("out", {{"dropout = 0.0", "dropout = 0.1"}}), "no dropout");
  EXPECT_ERROR(workshop.recipes("out", {{"rank = 4", "rnak = 4"}}), "rnak");
  EXPECT_ERROR(workshop.recipes("out", {{"bias_update_speed = 0.0", "bias_update_speed = 0.1"}}), "bias_update_speed");
  EXPECT_ERROR(TrainingRun::open(workshop.recipe("out", {{"\"v_proj\"", "\"value\""}}), {}, Context{}), "target \"value\"");
}

}  // namespace
}  // namespace minke::testing
