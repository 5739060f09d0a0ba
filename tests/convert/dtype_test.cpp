// Which dtypes an output has, and how values are rounded.
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "kernels/convert.h"
#include "models.h"

namespace minke {
namespace {

using namespace testing;

ConvertOptions as(DType dtype) {
  ConvertOptions options;
  options.dtype = dtype;
  return options;
}

std::vector<float> values_read(const TensorView& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.n_elements()));
  dequantize_row(values.data(), tensor.dtype, tensor.data, tensor.n_elements());
  return values;
}

TEST(SameFormat, KeepsEveryByteOfHuggingFace) {
  for (const char* name :
       {"deepseek_v3", "deepseek_v3_fp8", "deepseek_v3_sharded", "hyperclovax", "deepseek_v3_attention_bias"}) {
    SCOPED_TRACE(name);
    TemporaryDirectory scratch;
    value_of(convert_model(golden_model(name), scratch.file("copy")));
    EXPECT_EQ(
        tensor_difference(value_of(open_model(golden_model(name))).tensors, value_of(open_model(scratch.file("copy"))).tensors),
        "");
    EXPECT_EQ(read_test_file(golden_model(name) + "/config.json"), read_test_file(scratch.file("copy/config.json")));
  }
}

TEST(SameFormat, WidensAndNarrowsExactly) {
  TemporaryDirectory scratch;
  value_of(convert_model(golden_model("deepseek_v3"), scratch.file("f32"), as(DType::kF32)));
  value_of(convert_model(scratch.file("f32"), scratch.file("bf16"), as(DType::kBF16)));
  EXPECT_EQ(tensor_difference(value_of(open_model(golden_model("deepseek_v3"))).tensors,
                              value_of(open_model(scratch.file("bf16"))).tensors),
            "");
  Json config = value_of(read_json_file(scratch.file("f32/config.json")));
  EXPECT_EQ(config["torch_dtype"], "float32");
}

TEST(SameFormat, RoundsToNearestEven) {
  TemporaryDirectory scratch;
  for (DType dtype : {DType::kBF16, DType::kF16}) {
    std::string out = scratch.file(std::string(dtype_name(dtype)));
    value_of(convert_model(golden_model("qwen3"), out, as(dtype)));
    ModelFiles before = value_of(open_model(golden_model("qwen3"))), after = value_of(open_model(out));
    for (const TensorMap::Entry& entry : before.tensors.entries()) {
      std::vector<float> exact = values_read(entry.view), rounded = values_read(*after.tensors.find(entry.name));
      for (size_t i = 0; i < exact.size(); i++) {
        float expected = dtype == DType::kF16 ? f16_to_f32(f32_to_f16(exact[i])) : bf16_to_f32(f32_to_bf16(exact[i]));
        ASSERT_EQ(rounded[i], expected) << entry.name;
      }
    }
  }
}

TEST(Fp8, BecomesTheExactProduct) {
  for (const char* name : {"deepseek_v3_fp8", "deepseek_v3_ue8m0", "deepseek_v3_ue8m0_f8scale"}) {
    SCOPED_TRACE(name);
    TemporaryDirectory scratch;
    std::string original = golden_model(name);
    value_of(convert_model(original, scratch.file("f32"), as(DType::kF32)));
    value_of(convert_model(original, scratch.file("f32.gguf"), as(DType::kF32)));
    ModelFiles f32 = value_of(open_model(scratch.file("f32")));
    for (const TensorMap::Entry& entry : f32.tensors.entries()) EXPECT_FALSE(entry.name.ends_with("_scale_inv"));
    EXPECT_EQ(config_of(scratch.file("f32")).fp8_block_rows, 0);
    std::vector<TokenId> tokens = some_tokens(config_of(original), 11);
    std::vector<float> expected = logits_of(original, tokens);
    EXPECT_LE(relative_norm(expected, logits_of(scratch.file("f32"), tokens)), 1e-5);
    EXPECT_LE(relative_norm(expected, logits_of(scratch.file("f32.gguf"), tokens)), 1e-5);
  }
}

TEST(Fp8, IsRoundedToBf16InGgufAndSaysSo) {
  TemporaryDirectory scratch;
  ConvertReport report = value_of(convert_model(golden_model("deepseek_v3_fp8"), scratch.file("model.gguf")));
  ASSERT_FALSE(report.notes.empty());
  EXPECT_NE(fmt::format("{}", fmt::join(report.notes, "\n")).find("FP8"), std::string::npos);
  value_of(convert_model(scratch.file("model.gguf"), scratch.file("hf")));
  value_of(convert_model(golden_model("deepseek_v3_fp8"), scratch.file("direct"), as(DType::kBF16)));
  EXPECT_EQ(
      tensor_difference(value_of(open_model(scratch.file("direct"))).tensors, value_of(open_model(scratch.file("hf"))).tensors),
      "");
}

TEST(Q8, QuantisesMatricesAndFallsBack) {
  TemporaryDirectory scratch;
  ConvertReport report = value_of(convert_model(stories("hf"), scratch.file("model.gguf"), as(DType::kQ8_0)));
  ModelFiles files = value_of(open_model(scratch.file("model.gguf")));
  EXPECT_EQ(files.tensors.find("blk.0.attn_q.weight")->dtype, DType::kQ8_0);
  EXPECT_EQ(files.tensors.find("blk.0.attn_norm.weight")->dtype, DType::kF32);
  EXPECT_EQ(files.tensors.find("blk.0.ffn_down.weight")->dtype, DType::kF32);  // rows of 172
  EXPECT_NE(fmt::format("{}", fmt::join(report.notes, "\n")).find("multiple of 32"), std::string::npos);
  EXPECT_ERROR(convert_model(stories("hf"), scratch.file("hf"), as(DType::kQ8_0)), "q8_0");
}

TEST(Quantised, BecomesF32AndComputesTheSame) {
  TemporaryDirectory scratch;
  for (const char* name : {"deepseek_v3_gguf_q8_0/gguf/mainline_q8_0.gguf", "qwen3_gguf_mixed/gguf/mixed.gguf"}) {
    std::string out = scratch.file(std::string(name).substr(0, 8));
    ConvertReport report = value_of(convert_model(golden_model(name), out));
    EXPECT_EQ(report.dtype_counts[0].first, "f32");
    std::vector<TokenId> tokens = some_tokens(config_of(out), 9);
    EXPECT_LE(relative_norm(logits_of(golden_model(name), tokens), logits_of(out, tokens)), 1e-5);
  }
}

TEST(Overflow, IsRefusedWithTheTensorsName) {
  TemporaryDirectory scratch;
  std::filesystem::copy(golden_model("qwen3"), scratch.path() / "in");
  std::string path = scratch.file("in/model.safetensors");
  std::string bytes = read_test_file(path);
  float large = 1e5f;
  std::memcpy(bytes.data() + bytes.size() - sizeof(large), &large, sizeof(large));
  value_of(write_file(path, bytes));
  EXPECT_ERROR(convert_model(scratch.file("in"), scratch.file("out"), as(DType::kF16)), "too large for f16");
  EXPECT_FALSE(std::filesystem::exists(scratch.file("out")));
  EXPECT_FALSE(std::filesystem::exists(scratch.file("out.incomplete")));
  value_of(convert_model(scratch.file("in"), scratch.file("out"), as(DType::kBF16)));
}

TEST(Notes, SayWhatIsLeftOut) {
  TemporaryDirectory scratch;
  ConvertReport report = value_of(convert_model(golden_model("deepseek_v3"), scratch.file("model.gguf")));
  std::string notes = fmt::format("{}", fmt::join(report.notes, "\n"));
  EXPECT_NE(notes.find("multi-token"), std::string::npos);
  EXPECT_NE(notes.find("tokenizer"), std::string::npos);
}

}  // namespace
}  // namespace minke
