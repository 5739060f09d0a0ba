// Quantised outputs: which type every tensor has, that its bytes are the quantiser's, and what is refused.
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/thread_pool.h"
#include "kernels/convert.h"
#include "models.h"
#include "quantize/quant_mix.h"
#include "quantize/quantize_row.h"
#include "synthetic/random_model.h"

namespace minke {
namespace {

using namespace testing;

// DeepSeek-V2 with rows of 256 (whole super-blocks), 288 and 96 (blocks of 32 only) and 24 (none).
class Quantize : public ::testing::Test {
 protected:
  void SetUp() override {
    Json json = value_of(read_json_file(golden_model("deepseek_v2_lite/config.json")));
    json["vocab_size"] = 288;
    json["hidden_size"] = 256;
    json["intermediate_size"] = 288;
    json["moe_intermediate_size"] = 96;
    json["n_routed_experts"] = 6;
    json["kv_lora_rank"] = 64;
    json["qk_nope_head_dim"] = 24;
    json["v_head_dim"] = 64;
    value_of(write_file(scratch_.file("config.json"), json.dump()));
    ModelConfig config = value_of(read_hf_config(scratch_.file("config.json")));
    RandomModelOptions options;
    options.mix = "f32";
    value_of(write_random_model(source(), config, options));
  }

  std::string source() const { return scratch_.file("source.gguf"); }
  std::string output() const { return scratch_.file("out.gguf"); }
  static ConvertOptions to(const std::string& mix) {
    ConvertOptions options;
    options.quantize = QuantizeOptions{};
    options.quantize->mix = mix;
    options.overwrite = true;
    options.context.isa = best_isa();
    return options;
  }
  TensorMap tensors_of(const std::string& path) const { return value_of(open_model(path)).tensors; }

  TemporaryDirectory scratch_;
};

std::vector<float> values_of(const TensorView& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.n_elements()));
  dequantize_row(values.data(), tensor.dtype, tensor.data, tensor.n_elements());
  return values;
}

bool has_note(const ConvertReport& report, const std::string& text) {
  return fmt::format("{}", fmt::join(report.notes, "\n")).find(text) != std::string::npos;
}

TEST_F(Quantize, EveryTensorIsWhatTheMixAndItsQuantiserMakeOfIt) {
  ModelFiles before = value_of(open_model(source()));
  ModelConfig config = value_of(read_model_config(before));
  for (const char* mix : {"q4_k_m", "iq4_xs", "q5_1"}) {
    ConvertReport report = value_of(convert_model(source(), output(), to(mix)));
    TensorMap after = tensors_of(output());
    ASSERT_EQ(after.size(), before.tensors.size());
    for (const TensorMap::Entry& entry : before.tensors.entries()) {
      const TensorView& written = *after.find(entry.name);
      DType dtype = value_of(choose_mix_dtype(mix, config, entry.name, entry.view.shape)).dtype;
      ASSERT_EQ(dtype_name(written.dtype), dtype_name(dtype)) << entry.name;
      std::vector<float> row = values_of(entry.view);
      std::vector<std::byte> expected(written.n_bytes());
      const int64_t n = static_cast<int64_t>(row.size());
      ASSERT_EQ(quantize_weighted_row(expected.data(), dtype, row.data(), nullptr, n, best_isa()), QuantizeFault::kNone);
      EXPECT_EQ(std::memcmp(expected.data(), written.data, expected.size()), 0) << mix << " " << entry.name;
    }
    EXPECT_TRUE(has_note(report, "rows of 24")) << mix;
  }
}

TEST_F(Quantize, ThreadsChangeNoByte) {
  ThreadPool pool(3);
  ConvertOptions options = to("q4_k_m");
  value_of(convert_model(source(), output(), options));
  options.context.pool = &pool;
  ConvertReport report = value_of(convert_model(source(), scratch_.file("threads.gguf"), options));
  EXPECT_EQ(read_test_file(scratch_.file("threads.gguf")), read_test_file(output()));
  EXPECT_EQ(report.n_bytes, std::filesystem::file_size(output()));
}

TEST_F(Quantize, ReportsBytesAndErrorOfEveryType) {
  ConvertReport report = value_of(convert_model(source(), output(), to("q4_k_m")));
  TensorMap before = tensors_of(source()), after = tensors_of(output());
  for (const DTypeTotal& total : report.dtypes) {
    uint64_t n_tensors = 0, n_bytes = 0;
    double error = 0, squares = 0;
    for (const TensorMap::Entry& entry : after.entries()) {
      if (entry.view.dtype != total.dtype) continue;
      n_tensors++;
      n_bytes += entry.view.n_bytes();
      std::vector<float> exact = values_of(*before.find(entry.name)), moved = values_of(entry.view);
      for (size_t i = 0; i < exact.size(); i++) {
        error += std::pow(static_cast<double>(exact[i]) - moved[i], 2);
        squares += std::pow(static_cast<double>(exact[i]), 2);
      }
    }
    EXPECT_EQ(total.n_tensors, n_tensors);
    EXPECT_EQ(total.n_bytes, n_bytes);
    if (!dtype_info(total.dtype).is_quantized) continue;
    EXPECT_NEAR(total.errors.error, error, 1e-9 * error) << dtype_name(total.dtype);
    EXPECT_NEAR(total.errors.squares, squares, 1e-9 * squares) << dtype_name(total.dtype);
  }
}

TEST_F(Quantize, TensorTypesGoByNameAndTheFirstMatchCounts) {
  ConvertOptions options = to("q4_0");
  options.quantize->tensor_types = {
      {"blk.1.ffn_down_exps", DType::kQ8_0}, {"blk.*_exps.weight", DType::kQ5_0}, {"*", DType::kBF16}};
  value_of(convert_model(source(), output(), options));
  TensorMap after = tensors_of(output());
  EXPECT_EQ(after.find("blk.1.ffn_down_exps.weight")->dtype, DType::kQ8_0);
  EXPECT_EQ(after.find("blk.2.ffn_down_exps.weight")->dtype, DType::kQ5_0);
  EXPECT_EQ(after.find("blk.0.ffn_down.weight")->dtype, DType::kBF16);
  EXPECT_EQ(after.find("blk.1.ffn_gate_inp.weight")->dtype, DType::kF32);
  EXPECT_EQ(after.find("blk.1.attn_norm.weight")->dtype, DType::kF32);
}

TEST_F(Quantize, TensorTypesThatDoNotFitAreErrors) {
  ConvertOptions options = to("q4_k_m");
  options.quantize->tensor_types = {{"blk.1.ffn_down_exps", DType::kQ6_K}};
  EXPECT_ERROR(convert_model(source(), output(), options), "tensor blk.1.ffn_down_exps.weight");
  EXPECT_ERROR(convert_model(source(), output(), options), "96 elements, no multiple of q6_k's block of 256");
  options.quantize->tensor_types = {{"blk.1.attn_norm", DType::kQ8_0}};
  EXPECT_ERROR(convert_model(source(), output(), options), "no matrix has such a name");
  EXPECT_ERROR(convert_model(source(), output(), to("q4_k")), "known: f32");
  ConvertOptions folder = to("q4_0");
  folder.format = ModelFormat::kSafetensors;
  EXPECT_ERROR(convert_model(source(), scratch_.file("folder"), folder), "formats of GGUF");
}

TEST_F(Quantize, AQuantisedModelIsNotQuantisedAgainUnasked) {
  std::string first = scratch_.file("first.gguf");
  value_of(convert_model(source(), first, to("q8_0")));
  EXPECT_ERROR(convert_model(first, output(), to("q4_0")), "is q8_0 already");
  EXPECT_FALSE(std::filesystem::exists(output()));
  value_of(convert_model(first, output(), to("q8_0")));  // the same type: copied
  EXPECT_EQ(tensor_difference(tensors_of(first), tensors_of(output())), "");
  ConvertOptions options = to("q4_0");
  options.quantize->allow_requantize = true;
  value_of(convert_model(first, output(), options));
  EXPECT_EQ(tensors_of(output()).find("blk.0.attn_q.weight")->dtype, DType::kQ4_0);
}

TEST_F(Quantize, ADryRunSaysTheSameAndWritesNothing) {
  ConvertOptions options = to("q5_k_s");
  options.dry_run = true;
  ConvertReport planned = value_of(convert_model(source(), output(), options));
  EXPECT_FALSE(std::filesystem::exists(output()));
  options.dry_run = false;
  ConvertReport written = value_of(convert_model(source(), output(), options));
  ASSERT_EQ(planned.dtypes.size(), written.dtypes.size());
  for (size_t i = 0; i < planned.dtypes.size(); i++) EXPECT_EQ(planned.dtypes[i].n_bytes, written.dtypes[i].n_bytes);
  EXPECT_EQ(planned.notes, written.notes);
}

TEST_F(Quantize, NanIsRefusedWithTensorAndRow) {
  std::string bytes = read_test_file(source());
  const TensorMap before = tensors_of(source());
  const TensorView& tensor = *before.find("blk.1.attn_output.weight");
  const std::string content(reinterpret_cast<const char*>(tensor.data), tensor.n_bytes());
  const size_t place = bytes.find(content);
  ASSERT_NE(place, std::string::npos);
  const float nan = NAN;
  std::memcpy(bytes.data() + place + (3 * 256 + 7) * sizeof(float), &nan, sizeof(nan));
  value_of(write_file(scratch_.file("nan.gguf"), bytes));
  EXPECT_ERROR(convert_model(scratch_.file("nan.gguf"), output(), to("q4_k_m")),
               "tensor blk.1.attn_output.weight: row 3 holds NaN");
  EXPECT_FALSE(std::filesystem::exists(output()));
}

Importance importance_for(const TensorMap& tensors) {
  Importance importance;
  for (const TensorMap::Entry& entry : tensors.entries()) {
    if (!entry.name.starts_with("blk.") || entry.view.shape.size() < 2) continue;
    ColumnSums& sums = importance.tensors[entry.name];
    sums.n_matrices = entry.view.shape.size() == 3 ? entry.view.shape[0] : 1;
    sums.n_cols = entry.view.shape.back();
    for (int64_t m = 0; m < sums.n_matrices; m++) {
      for (int64_t c = 0; c < sums.n_cols; c++) sums.squares.push_back(1.0 + 9.0 * static_cast<double>((c + m) % 3));
      sums.counts.push_back(1);
    }
  }
  return importance;
}

TEST_F(Quantize, ImportancesReachTheRowsOfTheirMatrix) {
  const TensorMap before = tensors_of(source());
  const Importance importance = importance_for(before);
  ConvertOptions options = to("q4_k_m");
  options.quantize->importance = &importance;
  ConvertReport report = value_of(convert_model(source(), output(), options));
  EXPECT_FALSE(has_note(report, "importances"));
  const std::string name = "blk.2.ffn_up_exps.weight";  // [6, 96, 256]
  const TensorMap after = tensors_of(output());
  const TensorView &exact = *before.find(name), &written = *after.find(name);
  ASSERT_EQ(written.dtype, DType::kQ4_K);
  const std::vector<float> values = values_of(exact);
  for (int64_t expert : {0, 1, 5}) {
    const ColumnSums& sums = importance.tensors.at(name);
    std::vector<float> means(sums.squares.begin() + expert * 256, sums.squares.begin() + (expert + 1) * 256);
    const std::vector<float> weights = column_weights(means.data(), 256);
    const int64_t row = expert * 96 + 95;  // the last of the expert
    std::vector<std::byte> expected(144);
    quantize_weighted_row(expected.data(), DType::kQ4_K, values.data() + row * 256, weights.data(), 256, best_isa());
    EXPECT_EQ(std::memcmp(expected.data(), written.data + row * 144, 144), 0) << expert;
  }
}

// The keys and types of llama.cpp's quantize (u32 since its pull request 14182).
TEST_F(Quantize, KeysSayWithWhichImportances) {
  Importance importance = importance_for(tensors_of(source()));
  importance.datasets = {"first.txt", "second.txt"};
  importance.n_chunks = 12;
  value_of(write_importance(scratch_.file("small.imatrix.gguf"), importance));
  importance = value_of(read_importance(scratch_.file("small.imatrix.gguf")));
  ConvertOptions options = to("q4_k_m");
  options.quantize->importance = &importance;
  value_of(convert_model(source(), output(), options));
  const GgufMetadata keys = value_of(open_model(output())).gguf;
  auto key = [&](const char* name) { return "quantize.imatrix." + std::string(name); };
  EXPECT_EQ(value_of(keys.string(key("file"))), "small.imatrix.gguf");
  EXPECT_EQ(value_of(keys.string(key("dataset"))), "first.txt");
  EXPECT_EQ(value_of(keys.integer(key("entries_count"))), static_cast<int64_t>(importance.tensors.size()));
  EXPECT_EQ(value_of(keys.integer(key("chunks_count"))), 12);
  for (const char* name : {"entries_count", "chunks_count"}) EXPECT_EQ(keys.find(key(name))->type, GgufType::kU32) << name;
  EXPECT_EQ(value_of(keys.integer("general.file_type")), 15);
  EXPECT_EQ(value_of(keys.integer("general.quantization_version")), 2);

  // A copy says it too; a file whose codes are other ones does not.
  auto says = [&](const ConvertOptions& how) {
    value_of(convert_model(output(), scratch_.file("next.gguf"), how));
    return value_of(open_model(scratch_.file("next.gguf"))).gguf.has(key("file"));
  };
  ConvertOptions copy;
  copy.overwrite = true;
  EXPECT_TRUE(says(copy));
  copy.dtype = DType::kF32;
  EXPECT_FALSE(says(copy));
  options = to("q8_0");
  options.quantize->allow_requantize = true;
  EXPECT_FALSE(says(options));
  importance.datasets.clear();
  importance.n_chunks = 0;
  options.quantize->importance = &importance;
  EXPECT_TRUE(says(options));
  const GgufMetadata fewer = value_of(open_model(scratch_.file("next.gguf"))).gguf;
  EXPECT_FALSE(fewer.has(key("dataset")));
  EXPECT_FALSE(fewer.has(key("chunks_count")));
}

TEST_F(Quantize, MissingImportancesAreANoteAndWrongOnesAnError) {
  Importance importance = importance_for(tensors_of(source()));
  importance.tensors.erase("blk.0.attn_q.weight");
  importance.tensors.erase("blk.1.attn_q.weight");
  ConvertOptions options = to("q4_k_m");
  options.quantize->importance = &importance;
  ConvertReport report = value_of(convert_model(source(), output(), options));
  EXPECT_TRUE(has_note(report, "2 quantised matrices have no importances (blk.0.attn_q.weight ...)")) << report.notes.back();
  importance.tensors["blk.2.attn_q.weight"].n_cols = 128;
  EXPECT_ERROR(convert_model(source(), output(), options), "tensor blk.2.attn_q.weight: importances are for 1 matrices of 128");
}

TEST_F(Quantize, HuggingFaceInputGivesTheSameAsConvertingFirst) {
  value_of(convert_model(stories("hf"), output(), to("q8_0")));
  ConvertOptions plain;
  plain.dtype = DType::kF32;
  value_of(convert_model(stories("hf"), scratch_.file("plain.gguf"), plain));
  value_of(convert_model(scratch_.file("plain.gguf"), scratch_.file("twice.gguf"), to("q8_0")));
  EXPECT_EQ(tensor_difference(tensors_of(output()), tensors_of(scratch_.file("twice.gguf"))), "");
  EXPECT_EQ(value_of(open_model(output()).value().gguf.integer("general.file_type")), 7);
}

}  // namespace
}  // namespace minke
