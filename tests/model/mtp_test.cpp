// The module of multi-token prediction: its logits against the official implementation's, and what a checkpoint may leave out.
#include <filesystem>

#include "format/safetensors_writer.h"
#include "golden.h"

namespace minke {
namespace {

namespace fs = std::filesystem;
using testing::Golden;

constexpr double kMtpTolerance = 1e-4;  // as for the main model, see golden_test.cpp; this is one layer more

std::string golden_folder() { return testing::repository_path("tests/goldens/models/deepseek_v3"); }

// Logits of the module for every position but the last, [n_tokens - 1, vocab_size], in calls of `chunk` rows.
std::vector<float> mtp_logits(Model& model, const std::vector<TokenId>& tokens, MlaForm form, const Context& context,
                              size_t chunk = 1000) {
  KvCache cache(model.config(), 128);
  SequenceCache place, mtp_place;
  std::vector<float> hidden, logits, all;
  Batch batch{tokens, {{&place, static_cast<int64_t>(tokens.size()), form}}, {}, &hidden};
  testing::value_of(model.forward(logits, batch, cache, context));
  mtp_place.page_table = place.page_table;
  size_t dim = static_cast<size_t>(model.config().hidden_size), n_rows = tokens.size() - 1;
  for (size_t start = 0; start < n_rows; start += chunk) {
    size_t n = std::min(chunk, n_rows - start);
    Batch rows;
    rows.tokens.assign(tokens.begin() + static_cast<std::ptrdiff_t>(start + 1),
                       tokens.begin() + static_cast<std::ptrdiff_t>(start + 1 + n));
    rows.sequences = {{&mtp_place, static_cast<int64_t>(n), form}};
    for (size_t i = 0; i < n; i++) rows.logit_rows.push_back(static_cast<int64_t>(i));
    testing::value_of(model.forward_mtp(logits, rows, std::span(hidden).subspan(start * dim, n * dim), cache, context));
    all.insert(all.end(), logits.begin(), logits.end());
  }
  return all;
}

TEST(Mtp, LogitsAgreeOnEveryInstructionSetAndChunksChangeNoBit) {
  std::unique_ptr<Model> model = testing::value_of(Model::load(golden_folder()));
  ASSERT_EQ(model->config().n_mtp_layers, 1);
  Golden golden = testing::read_golden(golden_folder() + "/golden.safetensors");
  ThreadPool pool(2);
  int n_compared = 0;
  for (size_t s = 0; s < golden.sequences.size(); s++) {
    const std::vector<TokenId>& tokens = golden.sequences[s].tokens;
    if (tokens.size() < 2) continue;
    const TensorView& expected = golden.tensor(fmt::format("mtp.logits.{}", s));
    for (Isa isa : available_isas()) {
      for (MlaForm form : {MlaForm::kNaive, MlaForm::kAbsorbed}) {
        std::vector<float> logits = mtp_logits(*model, tokens, form, Context{&pool, isa});
        ASSERT_EQ(static_cast<int64_t>(logits.size()), expected.n_elements());
        testing::Difference difference = testing::compare_rows(logits.data(), expected);
        EXPECT_LE(difference.worst, kMtpTolerance) << isa_name(isa) << ", sequence " << s << ", position " << difference.row;
        EXPECT_EQ(mtp_logits(*model, tokens, form, Context{nullptr, isa}, 3), logits) << isa_name(isa);
        n_compared++;
      }
    }
  }
  EXPECT_EQ(n_compared, 4 * static_cast<int>(available_isas().size()));
}

// A copy of the golden checkpoint with the tensors of the module that `keeps` wants.
struct Reduced {
  testing::TemporaryDirectory directory;

  explicit Reduced(const std::function<bool(std::string_view)>& keeps) {
    fs::copy(golden_folder() + "/config.json", directory.path() / "config.json");
    SafetensorsFile file = testing::value_of(open_safetensors(golden_folder() + "/model.safetensors"));
    std::vector<TensorSource> sources;
    for (const TensorMap::Entry& entry : file.tensors.entries()) {
      std::string_view name = entry.name, prefix = "model.layers.3.";
      bool is_mtp = name.starts_with(prefix);
      if (!is_mtp || keeps(name.substr(prefix.size()))) sources.push_back(tensor_source(entry.name, entry.view));
    }
    testing::value_of(write_safetensors_model(directory.path().string(), sources));
  }
  std::string path() const { return directory.path().string(); }
};

TEST(Mtp, ACheckpointWithoutItLoadsWithoutIt) {
  Reduced none([](std::string_view) { return false; });
  std::unique_ptr<Model> model = testing::value_of(Model::load(none.path()));
  EXPECT_EQ(model->config().n_mtp_layers, 0);
  EXPECT_TRUE(model->weights().mtp.empty());
}

TEST(Mtp, CanBeLeftOutButNotUnchecked) {
  std::unique_ptr<Model> whole = testing::value_of(Model::load(golden_folder()));
  std::unique_ptr<Model> model = testing::value_of(Model::load(golden_folder(), {.mtp = false}));
  EXPECT_EQ(model->config().n_mtp_layers, 0);
  EXPECT_TRUE(model->weights().mtp.empty());
  EXPECT_EQ(KvCache::bytes_per_token(model->config(), DType::kF32) * 4,
            KvCache::bytes_per_token(whole->config(), DType::kF32) * 3);
  auto logits_of = [](Model& m) {
    KvCache cache(m.config(), 64);
    SequenceCache place;
    std::vector<float> logits;
    Batch batch{{3, 14, 15, 92, 65}, {{&place, 5, MlaForm::kNaive}}, {0, 4}};
    testing::value_of(m.forward(logits, batch, cache, Context{}));
    return logits;
  };
  EXPECT_EQ(logits_of(*model), logits_of(*whole));
  Reduced no_norm([](std::string_view name) { return name != "shared_head.norm.weight"; });
  EXPECT_ERROR(Model::load(no_norm.path(), {.mtp = false}), "\"model.layers.3.shared_head.norm.weight\" missing");
}

TEST(Mtp, CopiesOfEmbeddingAndHeadMayBeMissing) {
  std::vector<TokenId> tokens = {3, 14, 15, 92, 65};
  std::unique_ptr<Model> whole = testing::value_of(Model::load(golden_folder()));
  Reduced shared([](std::string_view name) { return !name.starts_with("embed_tokens") && name != "shared_head.head.weight"; });
  std::unique_ptr<Model> model = testing::value_of(Model::load(shared.path()));
  ASSERT_EQ(model->config().n_mtp_layers, 1);
  EXPECT_EQ(mtp_logits(*model, tokens, MlaForm::kNaive, Context{}), mtp_logits(*whole, tokens, MlaForm::kNaive, Context{}));
}

TEST(Mtp, HalfAModuleIsRefusedByName) {
  Reduced no_norm([](std::string_view name) { return name != "shared_head.norm.weight"; });
  EXPECT_ERROR(Model::load(no_norm.path()), "\"model.layers.3.shared_head.norm.weight\" missing");
  Reduced no_layer([](std::string_view name) { return name.starts_with("e") || name.starts_with("h"); });
  EXPECT_ERROR(Model::load(no_layer.path()), "\"model.layers.3.");
  Reduced no_expert([](std::string_view name) { return name != "mlp.experts.7.up_proj.weight"; });
  EXPECT_ERROR(Model::load(no_expert.path()), "\"model.layers.3.mlp.experts.7.up_proj.weight\" missing");
}

}  // namespace
}  // namespace minke
