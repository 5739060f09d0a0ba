// stories260K, a trained model with a SentencePiece tokenizer, both ways.
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "models.h"
#include "tokenizer/tokenizer.h"

namespace minke {
namespace {

using namespace testing;

std::vector<TokenId> greedy(const std::string& path, TokenId first, size_t n) {
  auto model = value_of(Model::load(path));
  KvCache cache(model->config(), static_cast<int64_t>(n) + 1);
  SequenceCache sequence;
  std::vector<TokenId> ids = {first};
  while (ids.size() < n) {
    Batch batch;
    batch.tokens = {ids.back()};
    batch.sequences.push_back({&sequence, 1, MlaForm::kNaive});
    batch.logit_rows = {0};
    std::vector<float> logits;
    value_of(model->forward(logits, batch, cache, Context{}));
    ids.push_back(static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
  }
  return ids;
}

TEST(Stories, TellTheSameStoryFromEveryForm) {
  TemporaryDirectory scratch;
  ConvertOptions bf16;
  bf16.dtype = DType::kBF16;
  value_of(convert_model(stories("hf"), scratch.file("f32.gguf")));
  value_of(convert_model(scratch.file("f32.gguf"), scratch.file("again")));
  EXPECT_EQ(meaning(config_of(stories("hf"))), meaning(config_of(scratch.file("again"))));
  EXPECT_EQ(tensor_difference(value_of(open_model(stories("hf"))).tensors, value_of(open_model(scratch.file("again"))).tensors),
            "");
  Json expected = value_of(read_json_file(stories("expected_greedy.json")));
  std::vector<TokenId> ids = expected["greedy_ids_from_bos"].get<std::vector<TokenId>>();
  ids.resize(100);
  EXPECT_EQ(greedy(stories("hf"), ids[0], ids.size()), ids);
  EXPECT_EQ(greedy(scratch.file("f32.gguf"), ids[0], ids.size()), ids);
}

TEST(Stories, KeepTheirTokenizer) {
  TemporaryDirectory scratch;
  value_of(convert_model(stories("hf"), scratch.file("model.gguf")));
  value_of(convert_model(scratch.file("model.gguf"), scratch.file("hf")));
  value_of(convert_model(stories("gguf/stories260K-q8_0.gguf"), scratch.file("from_q8")));
  Tokenizer original = value_of(Tokenizer::from_directory(stories("hf")));
  std::vector<Tokenizer> others;
  others.push_back(value_of(Tokenizer::from_directory(scratch.file("hf"))));
  others.push_back(value_of(Tokenizer::from_directory(scratch.file("from_q8"))));
  ModelFiles gguf = value_of(open_model(scratch.file("model.gguf")));
  others.push_back(value_of(Tokenizer::from_gguf(gguf.gguf, "model.gguf")));
  for (const Tokenizer& other : others) {
    EXPECT_EQ(original.bos(), other.bos());
    EXPECT_EQ(original.eos_ids(), other.eos_ids());
    for (std::string text : {"Once upon a time", "Lily's mom said, \"Let's go!\"\n", " two  spaces", "고래 🐋", ""}) {
      auto ids = value_of(original.encode(text));
      EXPECT_EQ(ids, value_of(other.encode(text))) << text;
      EXPECT_EQ(value_of(original.decode(ids)), value_of(other.decode(ids))) << text;
    }
  }
}

TEST(Stories, QuantisedFileConvertsBothWays) {
  TemporaryDirectory scratch;
  std::string q8 = stories("gguf/stories260K-q8_0.gguf");
  value_of(convert_model(q8, scratch.file("hf")));
  ConvertOptions options;
  options.dtype = DType::kQ8_0;
  value_of(convert_model(scratch.file("hf"), scratch.file("again.gguf"), options));
  // Quantising what was dequantised gives the same blocks back.
  EXPECT_EQ(tensor_difference(value_of(open_model(q8)).tensors, value_of(open_model(scratch.file("again.gguf"))).tensors), "");
}

}  // namespace
}  // namespace minke
