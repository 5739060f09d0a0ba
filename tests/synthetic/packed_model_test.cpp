// Models whose quantised weights are packed, and models whose experts come from disk, beside the same model with every weight
// decoded to f32 from the mapped file.
#include <gtest/gtest.h>

#include <cmath>

#include "convert/convert.h"
#include "model/model.h"
#include "quantize/quant_mix.h"
#include "support/support.h"
#include "synthetic/named_configs.h"
#include "synthetic/random_model.h"

namespace minke {
namespace {

constexpr int64_t kTokens = 24;

std::string random_model(const testing::TemporaryDirectory& directory, const std::string& mix) {
  std::string path = directory.file(mix + ".gguf");
  RandomModelOptions options;
  options.name = "random";
  options.mix = mix;
  testing::value_of(write_random_model(path, testing::value_of(find_config("tiny")), options));
  return path;
}

// kv_b_proj as one matrix of q8_0.
std::string one_matrix_model(const testing::TemporaryDirectory& directory) {
  std::string path = directory.file("classic.gguf");
  ConvertOptions options;
  options.mla = MlaLayout::kClassic;
  options.dtype = DType::kQ8_0;
  testing::value_of(convert_model(random_model(directory, "f32"), path, options));
  return path;
}

std::vector<TokenId> some_tokens() {
  std::vector<TokenId> tokens;
  for (int64_t i = 0; i < kTokens; i++) tokens.push_back(static_cast<TokenId>((i * 37 + 5) % 600));
  return tokens;
}

// Logits of every token, fed in chunks of these sizes.
std::vector<float> logits_of(Model& model, const Context& context, const std::vector<int64_t>& chunks, MlaForm form) {
  KvCache cache(model.config(), 128);
  SequenceCache sequence;
  const std::vector<TokenId> tokens = some_tokens();
  std::vector<float> all, logits;
  auto at = tokens.begin();
  for (int64_t n : chunks) {
    Batch batch;
    batch.tokens.assign(at, at + n);
    batch.sequences = {{&sequence, n, form}};
    for (int64_t i = 0; i < n; i++) batch.logit_rows.push_back(i);
    testing::value_of(model.forward(logits, batch, cache, context));
    all.insert(all.end(), logits.begin(), logits.end());
    at += n;
  }
  return all;
}

double relative_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < a.size(); i++) {
    difference += std::pow(double{a[i]} - double{b[i]}, 2);
    norm += std::pow(double{b[i]}, 2);
  }
  return std::sqrt(difference / norm);
}

// Coding 32 activations to steps of max / 127 leaves an error of max / 127 / sqrt(12) in each. The largest of 32 normal ones is
// 2.2 sigma on average and seldom above 3.5, so a product is off by at most 0.8 % of its norm. On the way to the logits there
// are 3 layers x (query, latent, key half, value half, output, gate, up, down) and the head; errors are independent, and what a
// layer adds is no larger than the stream it is added to. A choice of experts that flips would be seen as far more than that.
// Rounding to bf16 leaves at most 2^-8 of each activation, and so of a product.
constexpr double kProducts = 5.0;  // sqrt(3 * 8 + 1)
double coding_error(std::string_view mix) { return kProducts * (mix == "bf16" ? 0x1p-8 : 0.008); }

void expect_packed_agrees(const std::string& path, std::string_view mix) {
  ThreadPool pool(2);
  std::unique_ptr<Model> decoded = testing::value_of(Model::load(path));
  for (Isa isa : available_isas()) {
    const Context context = {&pool, isa};
    std::unique_ptr<Model> packed = testing::value_of(Model::load(path, {.pack = &context}));
    for (MlaForm form : {MlaForm::kNaive, MlaForm::kAbsorbed}) {
      const std::vector<float> exact = logits_of(*decoded, context, {kTokens}, form);
      const std::vector<float> fast = logits_of(*packed, context, {kTokens}, form);
      EXPECT_LE(relative_difference(fast, exact), coding_error(mix)) << path << " " << isa_name(isa);
      // Rows decoded from panels are the same numbers, so without coded activations nothing differs.
      if (isa == Isa::kRef) {
        EXPECT_EQ(fast, exact) << path;
      }
    }
  }
}

TEST(PackedModel, OfEveryMixAgreesWithTheDecodedOne) {
  testing::TemporaryDirectory directory;
  for (std::string_view mix : mix_names()) expect_packed_agrees(random_model(directory, std::string(mix)), mix);
}

TEST(PackedModel, WithOneMatrixForLatentsAgreesWithTheDecodedOne) {
  testing::TemporaryDirectory directory;
  expect_packed_agrees(one_matrix_model(directory), "q8_0");
}

TEST(PackedModel, ChunksAndThreadsChangeNoBit) {
  testing::TemporaryDirectory directory;
  for (const std::string& path : {random_model(directory, "q4_k_m"), random_model(directory, "q8_0"),
                                  random_model(directory, "bf16"), one_matrix_model(directory)}) {
    for (Isa isa : available_isas()) {
      const Context alone = {nullptr, isa};
      std::unique_ptr<Model> model = testing::value_of(Model::load(path, {.pack = &alone}));
      for (MlaForm form : {MlaForm::kNaive, MlaForm::kAbsorbed}) {
        const std::vector<float> whole = logits_of(*model, alone, {kTokens}, form);
        ThreadPool pool(3);
        EXPECT_EQ(logits_of(*model, {&pool, isa}, {1, 1, 9, 2, 11}, form), whole) << path << " " << isa_name(isa);
      }
    }
  }
}

TEST(ExpertCache, ChangesNoBit) {
  testing::TemporaryDirectory directory;
  for (const char* mix : {"q4_k_m", "f16", "bf16"}) {
    const std::string path = random_model(directory, mix);
    ThreadPool pool(2);
    const Context context = {&pool, best_isa()};
    std::unique_ptr<Model> resident = testing::value_of(Model::load(path, {.pack = &context}));
    EXPECT_EQ(resident->experts(), nullptr);
    const std::vector<float> expected = logits_of(*resident, context, {kTokens}, MlaForm::kAbsorbed);
    // From the smallest budget that works up to one that holds everything.
    uint64_t total = 0;
    for (const TensorMap::Entry& entry : resident->files().tensors.entries()) total += entry.view.n_bytes();
    int n_offloaded = 0;
    for (uint64_t budget = total / 16; budget <= total; budget += total / 16) {
      auto model = Model::load(path, {.pack = &context, .memory_bytes = budget});
      if (!model) {
        EXPECT_EQ(n_offloaded, 0) << model.error().message;
        continue;
      }
      for (const std::vector<int64_t>& chunks : {std::vector<int64_t>{kTokens}, {1, 1, 1, 1, 1, 1, 2, 16}}) {
        EXPECT_EQ(logits_of(**model, context, chunks, MlaForm::kAbsorbed), expected) << mix << " " << budget;
      }
      if ((*model)->experts() == nullptr) continue;
      n_offloaded++;
      const ExpertStats stats = (*model)->experts()->stats();
      EXPECT_GT(stats.n_used, 0);
      EXPECT_LT(stats.n_hits, stats.n_used);
      EXPECT_GT(stats.bytes_read, 0u);
    }
    EXPECT_GE(n_offloaded, 3) << mix;
  }
}

TEST(ExpertCache, RefusesWhatCannotWork) {
  testing::TemporaryDirectory directory;
  const std::string path = random_model(directory, "q8_0");
  const Context context = {nullptr, best_isa()};
  EXPECT_ERROR(Model::load(path, {.pack = &context, .memory_bytes = 1000}), "allow more");
  const std::string dense = testing::repository_path("tests/goldens/models/qwen3");
  EXPECT_ERROR(Model::load(dense, {.pack = &context, .memory_bytes = 1000}), "only experts can stay on disk");
}

}  // namespace
}  // namespace minke
