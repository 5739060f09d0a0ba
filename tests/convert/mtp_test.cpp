// The layers of multi-token prediction through GGUF and back, and what they compute there.
#include "models.h"

namespace minke {
namespace {

using namespace testing;

std::vector<float> mtp_logits_of(const std::string& path, const std::vector<TokenId>& tokens) {
  auto model = value_of(Model::load(path));
  if (model->config().n_mtp_layers != 1) return {};
  int64_t n = static_cast<int64_t>(tokens.size());
  KvCache cache(model->config(), n);
  SequenceCache place, mtp_place;
  std::vector<float> hidden, logits;
  Batch batch{tokens, {{&place, n, MlaForm::kNaive}}, {}, &hidden};
  value_of(model->forward(logits, batch, cache, Context{}));
  mtp_place.page_table = place.page_table;
  Batch rows{{tokens.begin() + 1, tokens.end()}, {{&mtp_place, n - 1, MlaForm::kNaive}}, {}};
  for (int64_t i = 0; i + 1 < n; i++) rows.logit_rows.push_back(i);
  hidden.resize(static_cast<size_t>((n - 1) * model->config().hidden_size));
  value_of(model->forward_mtp(logits, rows, hidden, cache, Context{}));
  return logits;
}

TEST(MtpRoundTrip, GgufHoldsItInBothLayoutsOfMla) {
  std::string original = golden_model("deepseek_v3");
  std::vector<TokenId> tokens = some_tokens(config_of(original), 11);
  std::vector<float> expected = mtp_logits_of(original, tokens);
  ASSERT_EQ(expected.size(), 10u * 128u);
  for (MlaLayout mla : {MlaLayout::kSplit, MlaLayout::kClassic}) {
    TemporaryDirectory scratch;
    ConvertOptions options;
    options.mla = mla;
    value_of(convert_model(original, scratch.file("model.gguf"), options));
    ModelFiles files = value_of(open_model(scratch.file("model.gguf")));
    EXPECT_EQ(value_of(files.gguf.integer("deepseek2.block_count")), 4);
    EXPECT_EQ(value_of(files.gguf.integer("deepseek2.nextn_predict_layers")), 1);
    for (const char* name : {"eh_proj", "enorm", "hnorm", "embed_tokens", "shared_head_norm", "shared_head_head"}) {
      EXPECT_NE(files.tensors.find(fmt::format("blk.3.nextn.{}.weight", name)), nullptr) << name;
    }
    // The same sums as from the Hugging Face layout, but for the two forms of W_UK: bf16 values, f32 sums of up to 96 terms.
    EXPECT_LE(relative_norm(expected, mtp_logits_of(scratch.file("model.gguf"), tokens)), 1e-5);
  }
}

TEST(MtpRoundTrip, CanBeLeftOut) {
  TemporaryDirectory scratch;
  std::string original = golden_model("deepseek_v3");
  ConvertOptions without;
  without.mtp = false;
  EXPECT_ERROR(convert_model(original, scratch.file("folder"), without), "--no-mtp is for GGUF");
  value_of(convert_model(original, scratch.file("without.gguf"), without));
  value_of(convert_model(original, scratch.file("with.gguf")));
  value_of(convert_model(scratch.file("with.gguf"), scratch.file("dropped.gguf"), without));
  ModelFiles dropped = value_of(open_model(scratch.file("dropped.gguf")));
  EXPECT_EQ(tensor_difference(value_of(open_model(scratch.file("without.gguf"))).tensors, dropped.tensors), "");
  EXPECT_EQ(
      tensor_difference(value_of(open_model(golden_model("deepseek_v3/gguf/mainline_bf16.gguf"))).tensors, dropped.tensors),
      "");
  EXPECT_EQ(config_of(scratch.file("dropped.gguf")).n_layers, 3);
  EXPECT_EQ(config_of(scratch.file("dropped.gguf")).n_mtp_layers, 0);
}

}  // namespace
}  // namespace minke
