#include "train/parameters.h"

#include "kernels/convert.h"
#include "tiny.h"

namespace minke::testing {
namespace {

std::vector<float> logits_of(Model& model, const Context& context) {
  const std::vector<TokenId> tokens = {3, 17, 60, 5, 90, 21, 7};
  KvCache cache(model.config(), 64);
  SequenceCache place;
  std::vector<float> logits;
  Batch batch{tokens, {{&place, static_cast<int64_t>(tokens.size()), MlaForm::kNaive}}, {0, 3, 6}};
  value_of(model.forward(logits, batch, cache, context));
  return logits;
}

TEST(ParameterStore, CopiesOfALoadedModelComputeTheSameBits) {
  ThreadPool pool(2);
  const Context context = {&pool, best_isa()};
  // MLA with experts and multi-token prediction; without q_lora; GQA with biases; a tied head; FP8 with block scales.
  for (const char* name : {"deepseek_v3", "deepseek_v2_lite", "llama_bias", "qwen2_tied", "deepseek_v3_fp8"}) {
    auto loaded = value_of(Model::load(golden_model(name)));
    const std::vector<float> expected = logits_of(*loaded, context);
    for (DType dtype : {DType::kF32, DType::kBF16}) {
      if (dtype == DType::kBF16 && std::string(name) == "deepseek_v3_fp8") continue;  // its products are not bf16 numbers
      Tiny tiny(loaded->config(), {.dtype = dtype});
      value_of(tiny.store->copy_from(*loaded, context));
      EXPECT_EQ(logits_of(*tiny.model, context), expected) << name << " " << dtype_name(dtype);
    }
  }
}

TEST(ParameterStore, RefusesWeightsThatAreNotFinite) {
  const ModelConfig config = golden_config("qwen3");
  auto loaded = value_of(Model::load(golden_model("qwen3")));
  auto refused = [&](Weight& w, std::vector<float> numbers, size_t at, float value) {
    const std::byte* plain = w.data;
    std::memcpy(numbers.data(), plain, numbers.size() * sizeof(float));
    numbers[at] = value;
    w.data = reinterpret_cast<const std::byte*>(numbers.data());
    Tiny tiny(config);
    EXPECT_ERROR(tiny.store->copy_from(*loaded, {nullptr, best_isa()}), "element " + std::to_string(at) + " of");
    w.data = plain;
  };
  Weight& w = loaded->mutable_weights().layers[1].mlp.up_proj.weight;
  ASSERT_EQ(w.dtype, DType::kF32);
  const std::vector<float> numbers(static_cast<size_t>(w.n_rows * w.n_cols));
  refused(w, numbers, 77, std::numeric_limits<float>::quiet_NaN());
  refused(w, numbers, numbers.size() - 1, std::numeric_limits<float>::infinity());
}

TEST(ParameterStore, HasOneRowForEveryNumber) {
  for (const char* name : {"deepseek_v3", "qwen2_tied", "llama_bias"}) {
    const ModelConfig config = golden_config(name);
    Tiny tiny(config);
    const ParameterCount count = count_parameters(config);
    int64_t n_bias = 0;
    for (const Buffer& buffer : tiny.store->buffers()) n_bias += static_cast<int64_t>(buffer.values->size());
    EXPECT_EQ(tiny.store->n_elements() + n_bias, count.total() + count.mtp) << name;
    const ModelWeights& w = tiny.model->weights();
    EXPECT_EQ(w.lm_head.data == w.embedding.data, config.tied_embeddings) << name;
    for (const MtpWeights& mtp : w.mtp) {
      EXPECT_EQ(mtp.embedding.data, w.embedding.data);
      EXPECT_EQ(mtp.lm_head.data, w.lm_head.data);
    }
    for (const Parameter& p : tiny.store->parameters()) {
      EXPECT_EQ(reinterpret_cast<uintptr_t>(p.grad) % 64, 0u) << p.name;
      EXPECT_TRUE(!p.is_matrix || reinterpret_cast<uintptr_t>(p.value) % 64 == 0) << p.name;
      EXPECT_EQ(p.decays, p.shape.size() == 2) << p.name;
      EXPECT_EQ(p.is_matrix, p.shape.size() == 2) << p.name;
      for (int64_t i = 0; i < p.n; i++) ASSERT_EQ(p.grad[i], 0) << p.name;
    }
  }
}

TEST(ParameterStore, InitialNumbersDependOnSeedAndNameAlone) {
  ModelConfig config = golden_config("deepseek_v3"), deeper = config;
  deeper.n_layers++;
  ThreadPool pool(3);
  Tiny one(config), threaded(config), deep(deeper), other(config), small(config, {.dtype = DType::kBF16});
  one.store->initialize(7, 0.02, {nullptr, Isa::kRef});
  threaded.store->initialize(7, 0.02, {&pool, best_isa()});
  deep.store->initialize(7, 0.02, {nullptr, Isa::kRef});
  other.store->initialize(8, 0.02, {nullptr, Isa::kRef});
  small.store->initialize(7, 0.02, {nullptr, Isa::kRef});
  EXPECT_TRUE(same_values(*one.store, *threaded.store));
  EXPECT_FALSE(same_values(*one.store, *other.store));
  for (size_t i = 0; i < 20; i++) {
    const Parameter &p = one.store->parameters()[i], &q = deep.store->parameters()[i], &r = small.store->parameters()[i];
    ASSERT_EQ(p.name, q.name);
    EXPECT_EQ(std::memcmp(p.value, q.value, value_bytes(p)), 0) << p.name;
    if (!p.is_matrix) continue;
    EXPECT_EQ(std::memcmp(p.value, r.master, value_bytes(p)), 0) << p.name;
    std::vector<std::byte> rounded(2 * static_cast<size_t>(p.n));
    quantize_row(rounded.data(), DType::kBF16, r.master, p.n);
    EXPECT_EQ(std::memcmp(rounded.data(), r.value, rounded.size()), 0) << p.name;
  }
}

TEST(ParameterStore, InitialNumbersAreNormal) {
  Tiny tiny(golden_config("deepseek_v3"));
  tiny.store->initialize(1, 0.02, {nullptr, Isa::kRef});
  double sum = 0, squares = 0, fourth = 0, neighbours = 0;
  int64_t n = 0;
  for (const Parameter& p : tiny.store->parameters()) {
    const auto* x = reinterpret_cast<const float*>(p.value);
    if (!p.is_matrix) {
      for (int64_t i = 0; i < p.n; i++) ASSERT_EQ(x[i], p.kind == WeightKind::kNorm ? 1.0f : 0.0f) << p.name;
      continue;
    }
    for (int64_t i = 0; i < p.n; i++) {
      const double z = x[i] / 0.02;
      sum += z, squares += z * z, fourth += z * z * z * z;
      if (i > 0) neighbours += z * x[i - 1] / 0.02;
    }
    n += p.n;
  }
  // Five standard deviations of each mean: var(z) = 1, var(z^2) = 2, var(z^4) = 96, var(z z') = 1.
  const double root = std::sqrt(static_cast<double>(n)), count = static_cast<double>(n);
  EXPECT_LE(std::fabs(sum / count), 5 / root);
  EXPECT_LE(std::fabs(squares / count - 1), 5 * std::sqrt(2.0) / root);
  EXPECT_LE(std::fabs(fourth / count - 3), 5 * std::sqrt(96.0) / root);
  EXPECT_LE(std::fabs(neighbours / count), 5 / root);
}

TEST(ParameterStore, RefusesWhatItCannotTrain) {
  auto gguf = value_of(Model::load(golden_model("deepseek_v2_lite/gguf/classic_bf16.gguf")));
  Tiny tiny(gguf->config());
  EXPECT_ERROR(tiny.store->copy_from(*gguf, {}), "minke convert");
  auto loaded = value_of(Model::load(golden_model("deepseek_v3")));
  ModelConfig config = loaded->config();
  config.moe.intermediate_size++;
  Tiny wide(config);
  EXPECT_ERROR(wide.store->copy_from(*loaded, {}), "expected");
}

}  // namespace
}  // namespace minke::testing
