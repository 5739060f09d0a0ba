// From tokenizer.json to GGUF metadata and back, and the other way round: every vector still encodes the same.
#include "tokenizer_testing.h"

namespace minke::testing {
namespace {

Tokenizer through_gguf(const Tokenizer& tokenizer, int padded = 0) {
  GgufMetadata metadata;
  value_of(tokenizer.to_gguf_metadata(metadata, padded));
  return value_of(Tokenizer::from_gguf(metadata, "gguf"));
}

Tokenizer through_json(const Tokenizer& tokenizer) {
  Tokenizer::HfFiles files = value_of(tokenizer.to_tokenizer_json());
  TemporaryDirectory directory;
  value_of(write_file(directory.file("tokenizer.json"), files.tokenizer_json));
  value_of(write_file(directory.file("tokenizer_config.json"), files.tokenizer_config_json));
  return value_of(Tokenizer::from_directory(directory.path().string()));
}

void expect_same(const Tokenizer& a, const Tokenizer& b, const std::vector<std::string>& texts) {
  EXPECT_EQ(a.vocab_size(), b.vocab_size());
  EXPECT_EQ(a.bos(), b.bos());
  EXPECT_EQ(a.eos_ids(), b.eos_ids());
  EXPECT_EQ(a.pad(), b.pad());
  ASSERT_EQ(a.chat_templates().size(), b.chat_templates().size());
  for (const ChatTemplate& chat : a.chat_templates()) EXPECT_EQ(*b.chat_template(chat.name), chat.text);
  for (const std::string& text : texts) {
    Ids ids = encode(a, text, {});
    ASSERT_EQ(encode(b, text, {}), ids) << text;
    ASSERT_EQ(decode(b, ids), decode(a, ids));
    ASSERT_EQ(decode(b, ids, {.skip_special = true}), decode(a, ids, {.skip_special = true}));
  }
  for (TokenId id = 0; id < a.vocab_size(); id++) {
    ASSERT_EQ(a.token_bytes(id), b.token_bytes(id)) << id;
    ASSERT_EQ(a.is_special(id), b.is_special(id)) << id;
  }
}

std::vector<std::string> texts_of(const std::string& path) {
  std::vector<std::string> texts;
  for (const Json& row : vectors(tokenizer_path(path))) texts.push_back(row["text"].get<std::string>());
  return texts;
}

class HfRoundTrip : public ::testing::TestWithParam<const char*> {};

TEST_P(HfRoundTrip, KeepsEveryVector) {
  std::string name = GetParam();
  Tokenizer tokenizer = load_tokenizer(name);
  std::vector<std::string> texts = texts_of(name + "/encode.jsonl.gz");
  Tokenizer gguf = through_gguf(tokenizer);
  expect_same(tokenizer, gguf, texts);
  expect_same(tokenizer, through_json(tokenizer), texts);
  expect_same(tokenizer, through_json(gguf), texts);
  EXPECT_EQ(through_json(tokenizer).spec().tokenizer_class, tokenizer.spec().tokenizer_class);
}

INSTANTIATE_TEST_SUITE_P(Tokenizers, HfRoundTrip,
                         ::testing::Values("deepseek_v3", "qwen2_5", "qwen3", "r1_distill_qwen_DERIVED"),
                         [](const auto& param) { return std::string(param.param); });

class GgufRoundTrip : public ::testing::TestWithParam<const char*> {};

TEST_P(GgufRoundTrip, KeepsEveryVector) {
  std::string base = std::string("gguf_vocab/ggml-vocab-") + GetParam();
  Tokenizer tokenizer = load_gguf_vocab(tokenizer_path(base + ".gguf.gz"));
  std::vector<std::string> texts = texts_of(base + ".jsonl");
  expect_same(tokenizer, through_json(tokenizer), texts);
  expect_same(tokenizer, through_gguf(through_json(tokenizer)), texts);
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, GgufRoundTrip, ::testing::Values("deepseek-llm", "deepseek-coder", "gpt-2"),
                         [](const auto& param) {
                           std::string name = param.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

const std::vector<std::string>& sentencepiece_texts() {
  static const std::vector<std::string> kTexts = {"",
                                                  " ",
                                                  "  ",
                                                  "Once upon a time, there was a little girl named Lily.",
                                                  " leading",
                                                  "trailing ",
                                                  "한글과 emoji 🙂",
                                                  "<s>x</s>",
                                                  "\n\tTabs",
                                                  "a  b   c",
                                                  "naïve"};
  return kTexts;
}

TEST(SentencePieceRoundTrip, Stories260K) {
  Tokenizer tokenizer = value_of(Tokenizer::from_directory(tokenizer_path("stories260K")));
  EXPECT_EQ(encode(tokenizer, "Once upon a time", {}), (Ids{1, 403, 407, 261, 378}));
  GgufMetadata metadata;
  value_of(tokenizer.to_gguf_metadata(metadata));
  EXPECT_EQ(value_of(metadata.string("tokenizer.ggml.model")), "llama");
  expect_same(tokenizer, through_gguf(tokenizer), sentencepiece_texts());
  expect_same(tokenizer, through_json(tokenizer), sentencepiece_texts());
  expect_same(tokenizer, through_json(through_gguf(tokenizer)), sentencepiece_texts());
}

TEST(SentencePieceRoundTrip, Llama2) {
  const char* artifacts = std::getenv("MINKE_ARTIFACTS");
  if (artifacts == nullptr)
    GTEST_SKIP() << "MINKE_ARTIFACTS does not name the directory with gguf_vocab/ggml-vocab-llama-spm.gguf.gz";
  Tokenizer tokenizer = load_gguf_vocab(std::string(artifacts) + "/gguf_vocab/ggml-vocab-llama-spm.gguf.gz");
  std::vector<std::string> texts = sentencepiece_texts();
  for (const std::string& text : texts_of("deepseek_v3/encode.jsonl.gz")) texts.push_back(text);
  expect_same(tokenizer, through_json(tokenizer), texts);
  expect_same(tokenizer, through_gguf(tokenizer), texts);
}

TEST(GgufWriting, PaddingAndRefusals) {
  Tokenizer tokenizer = load_tokenizer("deepseek_v3");
  GgufMetadata metadata;
  value_of(tokenizer.to_gguf_metadata(metadata, 129280));
  EXPECT_EQ(value_of(metadata.string("tokenizer.ggml.pre")), "deepseek-v3");
  EXPECT_EQ(value_of(metadata.strings("tokenizer.ggml.tokens")).size(), 129280u);
  Tokenizer padded = value_of(Tokenizer::from_gguf(metadata, "gguf"));
  EXPECT_EQ(padded.vocab_size(), 129280);
  EXPECT_FALSE(padded.has_token(129279));
  EXPECT_EQ(encode(padded, "[PAD129279]").size(), encode(tokenizer, "[PAD129279]").size());

  Json json = small_tokenizer({{"a", "b"}}, "\\p{L}+|.");
  EXPECT_ERROR(
      value_of(load_json(json)).to_gguf_metadata(metadata),
      "no name of tokenizer.ggml.pre stands for this pre-tokenizer and normalizer (its first pattern is \"\\p{L}+|.\")");
  json = small_tokenizer({{"a", "b"}}, "x");
  json["added_tokens"] = {{{"id", 300}, {"content", "<m>"}, {"lstrip", true}}};
  EXPECT_ERROR(value_of(load_json(json)).to_gguf_metadata(metadata), "token 300 (\"<m>\") is lstrip");
}

}  // namespace
}  // namespace minke::testing
