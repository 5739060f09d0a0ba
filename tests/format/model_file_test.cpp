#include "format/model_file.h"

#include "base/file.h"
#include "format/bytes.h"
#include "format/check.h"
#include "support/support.h"

namespace minke {
namespace {

using testing::value_of;

class ModelFile : public ::testing::Test {
 protected:
  testing::TemporaryDirectory folder_;
  std::string put(const std::string& name, std::string_view bytes) {
    value_of(write_file(folder_.file(name), bytes));
    return folder_.file(name);
  }
  std::string folder() { return folder_.path().string(); }
};

TEST_F(ModelFile, AFolderInTheLayoutOfHuggingFace) {
  put("model.safetensors", testing::good_safetensors());
  put("config.json", "{}");
  put("tokenizer.json", "{}");
  ModelFiles model = value_of(open_model(folder()));
  EXPECT_EQ(model.format, ModelFormat::kSafetensors);
  EXPECT_EQ(model.tensors.size(), 3u);
  EXPECT_EQ(model.config, folder_.file("config.json"));
  EXPECT_EQ(model.tokenizer, folder_.file("tokenizer.json"));
  EXPECT_EQ(model.generation_config, "");
  EXPECT_EQ(value_of(open_model(folder_.file("model.safetensors"))).config, folder_.file("config.json"));
}

TEST_F(ModelFile, TheTensorsOutliveEverythingElse) {
  put("model.safetensors", testing::good_safetensors());
  TensorMap tensors = value_of(open_model(folder())).tensors;
  std::filesystem::remove(folder_.file("model.safetensors"));
  EXPECT_EQ(tensors.find("a")->data[0], std::byte{0x11});
}

TEST_F(ModelFile, AGgufFileOrItsFolder) {
  std::string path = put("m.gguf", testing::good_gguf());
  put("mmproj-m.gguf", testing::good_gguf());
  for (const std::string& name : {path, folder()}) {
    ModelFiles model = value_of(open_model(name));
    EXPECT_EQ(model.format, ModelFormat::kGguf);
    EXPECT_EQ(value_of(model.gguf.string("general.architecture")), "llama");
    EXPECT_EQ(model.weights, path);
  }
}

TEST_F(ModelFile, AFolderMustHoldOneModel) {
  put("a-00001-of-00002.gguf", testing::good_gguf());
  put("a-00002-of-00002.gguf", testing::good_gguf());
  EXPECT_EQ(value_of(find_model(folder())).path, folder_.file("a-00001-of-00002.gguf")) << "parts of a set are one model";
  put("b.gguf", testing::good_gguf());
  EXPECT_ERROR(open_model(folder()), "holds 2 GGUF models");
  put("model.safetensors", testing::good_safetensors());
  EXPECT_ERROR(open_model(folder()), "holds safetensors and GGUF weights");
}

TEST_F(ModelFile, ContentDecidesWhereTheNameSaysNothing) {
  EXPECT_EQ(value_of(open_model(put("3f2a", testing::good_gguf()))).format, ModelFormat::kGguf);
  EXPECT_EQ(value_of(open_model(put("3f2b", testing::good_safetensors()))).format, ModelFormat::kSafetensors);
  EXPECT_ERROR(open_model(put("3f2c", "version https://git-lfs.github.com/spec/v1\n")), "LFS pointer");
  EXPECT_ERROR(open_model(put("3f2d", "\x01\x02\x03\x04")), "neither safetensors nor GGUF");
  EXPECT_ERROR(open_model(put("m.bin", "\x01\x02\x03\x04")), "can run any code");
  EXPECT_ERROR(open_model(put("m.pt", testing::good_safetensors())), "can run any code");
  EXPECT_ERROR(open_model(folder_.file("none")), "No such file");
}

TEST_F(ModelFile, FormatsUnderTheWrongName) {
  EXPECT_ERROR(open_model(put("a.gguf", testing::good_safetensors())), "this is a safetensors file");
  EXPECT_ERROR(open_model(put("a.safetensors", testing::good_gguf())), "this is a GGUF file");
}

TEST_F(ModelFile, AFolderOfPicklesIsRefusedByName) {
  put("config.json", "{}");
  put("pytorch_model-00001-of-00002.bin", "x");
  EXPECT_ERROR(open_model(folder()), "the only weights are \"pytorch_model-00001-of-00002.bin\"");
}

TEST_F(ModelFile, CheckReadsJsonStrictly) {
  EXPECT_TRUE(check_model_file(put("config.json", "{\"a\":1}")).has_value());
  EXPECT_ERROR(check_model_file(put("config.json", "{\"a\":1,}")), "config.json: not valid JSON");
  EXPECT_ERROR(check_model_file(put("tokenizer.json", "{\"a\":1,\"a\":2}")), "duplicate key");
  put("config.json", "{}");
  put("tokenizer.json", "{");
  put("model.safetensors", testing::good_safetensors());
  EXPECT_ERROR(check_model_file(folder()), "tokenizer.json: not valid JSON");
  put("tokenizer.json", "{}");
  EXPECT_TRUE(check_model_file(folder()).has_value());
  put("model.safetensors", testing::good_safetensors() + "x");
  EXPECT_ERROR(check_model_file(folder()), "model.safetensors: 1 bytes behind the last tensor");
}

TEST_F(ModelFile, CheckOfAShardAndOfAnIndex) {
  std::string shard = put("model-00001-of-00002.safetensors", testing::good_safetensors());
  EXPECT_TRUE(check_model_file(shard).has_value()) << "one shard can be checked before the others are there";
  std::string index = put("model.safetensors.index.json",
                          R"({"weight_map":{"a":"model-00001-of-00002.safetensors","z":"model-00002-of-00002.safetensors"}})");
  EXPECT_ERROR(check_model_file(index), "1 of 2 weight files are missing");
}

}  // namespace
}  // namespace minke
