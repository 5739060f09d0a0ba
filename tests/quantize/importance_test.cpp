// Importance files, and that what is collected are the squares of what matrices were multiplied with.
#include "quantize/importance.h"

#include <gtest/gtest.h>

#include <map>

#include "format/gguf_writer.h"
#include "quantize/collect.h"
#include "support/support.h"

namespace minke::testing {
namespace {

Importance small_importance() {
  Importance importance;
  importance.datasets = {"text.txt"};
  importance.chunk_size = 512;
  importance.n_chunks = 3;
  importance.tensors["blk.0.attn_q.weight"] = {1, 3, {1.5, 0, 4}, {7}};
  importance.tensors["blk.1.ffn_up_exps.weight"] = {2, 2, {1, 2, 3, 4}, {5, 0}};
  return importance;
}

TEST(Importance, SurvivesItsFile) {
  TemporaryDirectory scratch;
  const Importance before = small_importance();
  value_of(write_importance(scratch.file("im.gguf"), before));
  const Importance after = value_of(read_importance(scratch.file("im.gguf")));
  EXPECT_EQ(after.datasets, before.datasets);
  EXPECT_EQ(after.chunk_size, 512);
  EXPECT_EQ(after.n_chunks, 3);
  ASSERT_EQ(after.tensors.size(), 2u);
  for (const auto& [name, sums] : before.tensors) {
    const ColumnSums& again = after.tensors.at(name);
    EXPECT_EQ(again.n_matrices, sums.n_matrices);
    EXPECT_EQ(again.n_cols, sums.n_cols);
    EXPECT_EQ(again.squares, sums.squares);
    EXPECT_EQ(again.counts, sums.counts);
  }
}

TEST(Importance, WeightsAreMeansRelativeToTheirMatrix) {
  RowWeights weights = value_of(row_weights(small_importance(), "blk.1.ffn_up_exps.weight", {2, 5, 2}));
  ASSERT_NE(weights.of_row(4), nullptr);
  EXPECT_FLOAT_EQ(weights.of_row(4)[0], 1 / 1.5f);
  EXPECT_FLOAT_EQ(weights.of_row(4)[1], 2 / 1.5f);
  EXPECT_FLOAT_EQ(weights.of_row(5)[0], 3 / 3.5f);
  EXPECT_EQ(value_of(row_weights(small_importance(), "blk.9.attn_q.weight", {5, 3})).of_row(0), nullptr);
  EXPECT_ERROR(row_weights(small_importance(), "blk.0.attn_q.weight", {5, 4}), "1 matrices of 3 columns");
}

TEST(Importance, OtherFilesAreRefused) {
  TemporaryDirectory scratch;
  EXPECT_ERROR(read_importance(repository_path("tests/data/models/stories260K/gguf/stories260K-q8_0.gguf")),
               "expected imatrix");
  auto write = [&](std::vector<TensorSource> sources) {
    GgufMetadata keys;
    keys.set("general.type", GgufValue::string("imatrix"));
    value_of(write_gguf(scratch.file("bad.gguf"), keys, sources));
    return scratch.file("bad.gguf");
  };
  Tensor sums(DType::kF32, {2, 4}), one(DType::kF32, {1, 1}), half(DType::kF16, {2, 4});
  one.f32()[0] = -1;
  EXPECT_ERROR(read_importance(write({})), "holds no tensor");
  EXPECT_ERROR(read_importance(write({tensor_source("a.in_sum2", sums.view())})), "a.counts is missing");
  EXPECT_ERROR(read_importance(write({tensor_source("a.in_sum2", sums.view()), tensor_source("a.counts", one.view())})),
               "expected 2 counts, got 1");
  EXPECT_ERROR(read_importance(write({tensor_source("a.in_sum2", half.view()), tensor_source("a.counts", one.view())})),
               "expected f32");
  Tensor row(DType::kF32, {1, 4});
  EXPECT_ERROR(read_importance(write({tensor_source("a.in_sum2", row.view()), tensor_source("a.counts", one.view())})),
               "-1 is no count");
}

// The inputs of a layer's first products are the recorded norms, which the collector never sees; those of an expert are the
// rows whose tokens chose it.
struct Recorded {
  std::map<std::string, std::vector<float>> floats;
  std::map<std::string, std::vector<int32_t>> integers;
};

void expect_column_squares(const ColumnSums& sums, int64_t matrix, const std::vector<float>& rows,
                           const std::vector<bool>& is_chosen) {
  const size_t n_cols = static_cast<size_t>(sums.n_cols);
  int64_t n_rows = 0;
  std::vector<double> squares(n_cols);
  for (size_t t = 0; t < is_chosen.size(); t++) {
    if (!is_chosen[t]) continue;
    n_rows++;
    for (size_t c = 0; c < n_cols; c++) squares[c] += static_cast<double>(rows[t * n_cols + c]) * rows[t * n_cols + c];
  }
  EXPECT_EQ(sums.counts[static_cast<size_t>(matrix)], n_rows);
  for (size_t c = 0; c < n_cols; c++) EXPECT_EQ(sums.squares[static_cast<size_t>(matrix) * n_cols + c], squares[c]) << c;
}

Recorded run(Model& model, const std::vector<TokenId>& tokens, ImportanceCollector& collector, const Context& context) {
  Recorded recorded;
  ActivationSink sink = collector.sink();
  sink.floats = [&](std::string_view name, const float* values, int64_t n_rows, int64_t dim) {
    recorded.floats[std::string(name)].assign(values, values + n_rows * dim);
  };
  sink.integers = [&](std::string_view name, const int32_t* values, int64_t n_rows, int64_t dim) {
    recorded.integers[std::string(name)].assign(values, values + n_rows * dim);
  };
  KvCache cache(model.config(), 64);
  SequenceCache sequence;
  Batch batch;
  batch.tokens = tokens;
  batch.sequences.push_back({&sequence, static_cast<int64_t>(tokens.size()), MlaForm::kNaive});
  std::vector<float> logits;
  value_of(model.forward(logits, batch, cache, context, &sink));
  return recorded;
}

TEST(ImportanceCollector, SumsTheSquaresOfEveryMatrixsInputs) {
  ThreadPool pool(2);
  const Context context{&pool, best_isa()};
  std::vector<TokenId> tokens;
  for (int i = 0; i < 23; i++) tokens.push_back((i * 37 + 5) % 128);
  for (const char* name : {"deepseek_v3", "deepseek_v2_lite/gguf/mainline_bf16.gguf"}) {
    SCOPED_TRACE(name);
    auto model = value_of(Model::load(repository_path(std::string("tests/goldens/models/") + name)));
    ImportanceCollector collector = value_of(ImportanceCollector::create(*model, context));
    const Recorded recorded = run(*model, tokens, collector, context);
    const auto& sums = collector.importance().tensors;
    const std::vector<bool> all(tokens.size(), true);
    expect_column_squares(sums.at("blk.0.attn_kv_a_mqa.weight"), 0, recorded.floats.at("layers.0.attn_norm"), all);
    expect_column_squares(sums.at("blk.0.ffn_gate.weight"), 0, recorded.floats.at("layers.0.mlp_norm"), all);
    const int64_t layer = model->config().moe.first_k_dense, k = model->config().moe.n_experts_per_token;
    const std::vector<int32_t>& chosen = recorded.integers.at(fmt::format("layers.{}.topk_experts", layer));
    for (int64_t e = 0; e < model->config().moe.n_routed_experts; e++) {
      std::vector<bool> is_chosen(tokens.size());
      for (size_t slot = 0; slot < chosen.size(); slot++) {
        if (chosen[slot] == e) is_chosen[slot / static_cast<size_t>(k)] = true;
      }
      const std::vector<float>& rows = recorded.floats.at(fmt::format("layers.{}.mlp_norm", layer));
      expect_column_squares(sums.at(fmt::format("blk.{}.ffn_up_exps.weight", layer)), e, rows, is_chosen);
    }
    for (const auto& [tensor, columns] : sums) {
      int64_t n = 0;
      for (int64_t count : columns.counts) n += count;
      EXPECT_EQ(n, static_cast<int64_t>(tokens.size()) * (columns.n_matrices > 1 ? k : 1)) << tensor;
    }
  }
}

}  // namespace
}  // namespace minke::testing
