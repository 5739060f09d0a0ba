// The whole model against the official implementations: logits of every position and activations of every layer.
#include "golden.h"

#include <gtest/gtest.h>

#include <map>

namespace minke {
namespace {

using testing::Golden;
using testing::GoldenCase;

// The bound for f32. Where it comes from: about 3 layers x 10 f32 roundings of 6e-8 each on both sides, amplified by
// softmax and norms of random weights (the reference's own f32 against f64 differs by up to 2e-6), with room for the 1e-3
// sensitivity of a random router's weights. The mistakes of reference/check_traps.py all move logits by more than 3e-2.
constexpr double kTolerance = 1e-4;

struct Setting {
  Isa isa;
  MlaForm form;
  DType kv = DType::kF32;
};

// All sequences of a golden in one ragged batch.
std::vector<float> run_batch(Model& model, const Golden& golden, const Setting& setting, ThreadPool& pool,
                             const ActivationSink* sink = nullptr) {
  KvCache cache(model.config(), 1024, setting.kv);
  Batch batch;
  std::vector<SequenceCache> caches(golden.sequences.size());
  for (size_t i = 0; i < golden.sequences.size(); i++) {
    const auto& tokens = golden.sequences[i].tokens;
    batch.tokens.insert(batch.tokens.end(), tokens.begin(), tokens.end());
    batch.sequences.push_back({&caches[i], static_cast<int64_t>(tokens.size()), setting.form});
  }
  for (size_t i = 0; i < batch.tokens.size(); i++) batch.logit_rows.push_back(static_cast<int64_t>(i));
  std::vector<float> logits;
  testing::value_of(model.forward(logits, batch, cache, Context{&pool, setting.isa}, sink));
  return logits;
}

std::vector<MlaForm> forms_of(const Model& model) {
  if (model.config().attention == AttentionKind::kMla) return {MlaForm::kNaive, MlaForm::kAbsorbed};
  return {MlaForm::kNaive};
}

class GoldenTest : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(GoldenTest, LogitsAgreeOnEveryInstructionSet) {
  std::unique_ptr<Model> model = testing::value_of(Model::load(GetParam().model));
  Golden golden = testing::read_golden(GetParam().golden);
  ASSERT_GE(golden.sequences.size(), 3u);
  ThreadPool pool(2);
  for (Isa isa : available_isas()) {
    for (MlaForm form : forms_of(*model)) {
      std::vector<float> logits = run_batch(*model, golden, {isa, form}, pool);
      const float* rows = logits.data();
      for (const auto& sequence : golden.sequences) {
        testing::Difference difference = testing::compare_rows(rows, *sequence.logits);
        EXPECT_LE(difference.worst, kTolerance)
            << isa_name(isa) << (form == MlaForm::kNaive ? " naive" : " absorbed") << ", sequence of " << sequence.tokens.size()
            << ", position " << difference.row;
        rows += sequence.logits->n_elements();
      }
    }
  }
}

TEST_P(GoldenTest, ActivationsAgreeLayerByLayer) {
  std::unique_ptr<Model> model = testing::value_of(Model::load(GetParam().model));
  Golden golden = testing::read_golden(GetParam().golden);
  golden.sequences = {golden.sequences.back()};  // the one with activations
  ThreadPool pool(2);
  size_t n_compared = 0;
  ActivationSink sink;
  sink.floats = [&](std::string_view name, const float* values, int64_t n_rows, int64_t dim) {
    const TensorView* expected = golden.file.tensors.find(std::string(name));
    if (expected == nullptr) return;
    ASSERT_EQ(expected->shape, (Shape{n_rows, dim})) << name;
    n_compared++;
    testing::Difference difference = testing::compare_rows(values, *expected);
    EXPECT_LE(difference.worst, kTolerance) << name << ", position " << difference.row;
  };
  sink.integers = [&](std::string_view name, const int32_t* values, int64_t n_rows, int64_t dim) {
    const TensorView* expected = golden.file.tensors.find(std::string(name));
    if (expected == nullptr) return;
    ASSERT_EQ(expected->shape, (Shape{n_rows, dim})) << name;
    n_compared++;
    EXPECT_EQ(std::memcmp(values, expected->data, expected->n_bytes()), 0) << name << ": other experts were chosen";
  };
  run_batch(*model, golden, {best_isa(), MlaForm::kNaive}, pool, &sink);
  size_t n_activations = 0;
  for (const TensorMap::Entry& entry : golden.file.tensors.entries()) {
    if (entry.name.starts_with("layers.") || entry.name == "embed" || entry.name == "final_norm") n_activations++;
  }
  EXPECT_EQ(n_compared, n_activations) << "an activation of the golden was never produced";
}

// The logits of all tokens of a sequence that arrives in chunks.
std::vector<float> run_chunks(Model& model, const std::vector<TokenId>& tokens, size_t chunk, const Setting& setting,
                              ThreadPool& pool) {
  KvCache cache(model.config(), 1024, setting.kv);
  SequenceCache place;
  std::vector<float> all, logits;
  for (size_t start = 0; start < tokens.size(); start += chunk) {
    size_t n = std::min(chunk, tokens.size() - start);
    Batch batch;
    batch.tokens.assign(tokens.begin() + static_cast<std::ptrdiff_t>(start),
                        tokens.begin() + static_cast<std::ptrdiff_t>(start + n));
    batch.sequences = {{&place, static_cast<int64_t>(n), setting.form}};
    for (size_t i = 0; i < n; i++) batch.logit_rows.push_back(static_cast<int64_t>(i));
    testing::value_of(model.forward(logits, batch, cache, Context{&pool, setting.isa}));
    all.insert(all.end(), logits.begin(), logits.end());
  }
  return all;
}

// Same form: any split of a prompt into chunks, any company in the batch and any number of threads give the same bits.
TEST_P(GoldenTest, ChunksBatchesAndThreadsChangeNoBit) {
  std::unique_ptr<Model> model = testing::value_of(Model::load(GetParam().model));
  Golden golden = testing::read_golden(GetParam().golden);
  ThreadPool two(2), one(1);
  std::vector<Setting> settings;
  for (MlaForm form : forms_of(*model)) {
    for (Isa isa : available_isas()) settings.push_back({isa, form});
    for (DType kv : {DType::kF16, DType::kBF16, DType::kQ8_0}) settings.push_back({best_isa(), form, kv});
  }
  for (const Setting& setting : settings) {
    std::vector<float> together = run_batch(*model, golden, setting, two);
    size_t offset = 0;
    for (const auto& sequence : golden.sequences) {
      for (size_t chunk : {size_t{1}, size_t{2}, size_t{7}, sequence.tokens.size()}) {
        std::vector<float> alone = run_chunks(*model, sequence.tokens, chunk, setting, one);
        ASSERT_EQ(std::memcmp(alone.data(), together.data() + offset, alone.size() * sizeof(float)), 0)
            << isa_name(setting.isa) << " " << dtype_name(setting.kv) << ", chunks of " << chunk << " of "
            << sequence.tokens.size();
      }
      offset += static_cast<size_t>(sequence.logits->n_elements());
    }
  }
}

// The logits of a sequence that goes on from a fork of another's first `at` tokens, which then goes on with something else.
std::vector<float> run_forked(Model& model, const std::vector<TokenId>& tokens, size_t at, MlaCache mla, ThreadPool& pool) {
  KvCache cache(model.config(), 1024, DType::kF32, mla);
  SequenceCache parent, child;
  std::vector<float> all, logits;
  auto run = [&](SequenceCache& place, std::vector<TokenId> part) {
    const int64_t n = static_cast<int64_t>(part.size());
    Batch batch{std::move(part), {{&place, n, MlaForm::kNaive}}, {}};
    for (int64_t i = 0; i < n; i++) batch.logit_rows.push_back(i);
    testing::value_of(model.forward(logits, batch, cache, Context{&pool, best_isa()}));
  };
  run(parent, std::vector<TokenId>(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(at)));
  all = logits;
  child = testing::value_of(cache.fork(parent, static_cast<int64_t>(at)));
  run(parent, {0, 1, 2});
  cache.truncate(parent, parent.n_tokens - 3);
  run(child, std::vector<TokenId>(tokens.begin() + static_cast<std::ptrdiff_t>(at), tokens.end()));
  all.insert(all.end(), logits.begin(), logits.end());
  cache.truncate(parent, 0);
  cache.truncate(child, 0);
  SequenceCache whole;  // every page has come back
  testing::value_of(cache.reserve(whole, cache.capacity_tokens()));
  return all;
}

TEST_P(GoldenTest, ForksAndKeptHeadsChangeNoBit) {
  std::unique_ptr<Model> model = testing::value_of(Model::load(GetParam().model));
  Golden golden = testing::read_golden(GetParam().golden);
  ThreadPool pool(2);
  std::vector<MlaCache> caches = {MlaCache::kLatent};
  if (model->config().attention == AttentionKind::kMla && model->weights().layers[0].attention.up.kv_b_proj.data != nullptr) {
    caches.push_back(MlaCache::kHeads);
  }
  for (const auto& sequence : golden.sequences) {
    const std::vector<float> expected =
        run_chunks(*model, sequence.tokens, sequence.tokens.size(), {best_isa(), MlaForm::kNaive}, pool);
    const size_t n = sequence.tokens.size();
    for (size_t at : {size_t{1}, n / 2, n - 1, std::min<size_t>(64, n - 1)}) {
      for (MlaCache mla : caches) {
        if (at == 0 || at == n) continue;
        const std::vector<float> forked = run_forked(*model, sequence.tokens, at, mla, pool);
        ASSERT_EQ(std::memcmp(forked.data(), expected.data(), expected.size() * sizeof(float)), 0)
            << "fork at " << at << " of " << n << (mla == MlaCache::kHeads ? ", heads" : "");
      }
    }
  }
}

// The two forms of MLA on the same input: the first layer's attention, whose input is the same bits in both.
// Derivation: a score and a value are nested sums of lengths nope and rank (W_UK, W_UV), then an average over the keys; each
// form rounds every term of every sum once, so the relative difference is at most (nope + rank + v + n_keys) u times the sums'
// condition, sum|ab| / |sum ab|. For these random weights that is about sqrt(length) <= 6, and the softmax multiplies errors of
// scores by their size, below 3: together 18.
TEST_P(GoldenTest, NaiveAndAbsorbedAgree) {
  std::unique_ptr<Model> model = testing::value_of(Model::load(GetParam().model));
  const ModelConfig& c = model->config();
  if (c.attention != AttentionKind::kMla) return;
  Golden golden = testing::read_golden(GetParam().golden);
  ThreadPool pool(2);
  for (Isa isa : available_isas()) {
    std::map<MlaForm, std::vector<float>> attention;
    for (MlaForm form : {MlaForm::kNaive, MlaForm::kAbsorbed}) {
      ActivationSink sink;
      sink.floats = [&](std::string_view name, const float* values, int64_t n_rows, int64_t dim) {
        if (name == "layers.0.attn_out") attention[form].assign(values, values + n_rows * dim);
      };
      run_batch(*model, golden, {isa, form}, pool, &sink);
    }
    size_t n_keys = 0;
    for (const auto& sequence : golden.sequences) n_keys = std::max(n_keys, sequence.tokens.size());
    double length = static_cast<double>(c.qk_nope_head_dim + c.kv_lora_rank + c.v_head_dim) + static_cast<double>(n_keys);
    double tolerance = 18 * length * 0x1p-24;
    const std::vector<float>& naive = attention[MlaForm::kNaive];
    int64_t dim = c.hidden_size;
    TensorView expected{
        DType::kF32, {static_cast<int64_t>(naive.size()) / dim, dim}, reinterpret_cast<const std::byte*>(naive.data())};
    testing::Difference difference = testing::compare_rows(attention[MlaForm::kAbsorbed].data(), expected);
    EXPECT_LE(difference.worst, tolerance) << isa_name(isa) << ", row " << difference.row;
    EXPECT_NE(attention[MlaForm::kAbsorbed], naive) << "the same bits: only one form ran";
  }
}

std::string test_name(const ::testing::TestParamInfo<GoldenCase>& info) {
  std::string name = info.param.name;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Goldens, GoldenTest, ::testing::ValuesIn(testing::golden_cases()), test_name);

}  // namespace
}  // namespace minke
