// Every vector of every real tokenizer, exactly. The vectors were made with the reference implementation (see
// tests/data/tokenizers/LICENCES.md).
#include "tokenizer_testing.h"

namespace minke::testing {
namespace {

class HfVectors : public ::testing::TestWithParam<const char*> {};

TEST_P(HfVectors, AreExact) {
  std::string name = GetParam();
  Tokenizer tokenizer = load_tokenizer(name);
  int n_encode = 0, n_decode = 0;
  for (const Json& row : vectors(tokenizer_path(name + "/encode.jsonl.gz"))) {
    auto text = row["text"].get<std::string>();
    auto ids = row["ids"].get<Ids>();
    EXPECT_EQ(encode(tokenizer, text), ids) << name << " " << row["cat"] << ": " << row["text"];
    std::string decoded = row.contains("decoded") ? row["decoded"].get<std::string>() : text;
    EXPECT_EQ(decode(tokenizer, ids), decoded) << name << ": " << row["text"];
    if (row.contains("decoded_skip_special")) {
      EXPECT_EQ(decode(tokenizer, ids, {.skip_special = true}), row["decoded_skip_special"].get<std::string>()) << row["text"];
    }
    n_encode++;
  }
  for (const Json& row : vectors(tokenizer_path(name + "/decode.jsonl.gz"))) {
    auto ids = row["ids"].get<Ids>();
    EXPECT_EQ(decode(tokenizer, ids), row["text"].get<std::string>()) << name << ": " << row["ids"];
    if (row.contains("text_skip_special")) {
      EXPECT_EQ(decode(tokenizer, ids, {.skip_special = true}), row["text_skip_special"].get<std::string>()) << row["ids"];
    }
    n_decode++;
  }
  EXPECT_GT(n_encode, 500);
  EXPECT_GT(n_decode, 500);
  std::printf("%s: %d encode and %d decode vectors\n", name.c_str(), n_encode, n_decode);
}

TEST_P(HfVectors, InvalidUtf8IsReplaced) {
  std::string name = GetParam();
  Tokenizer tokenizer = load_tokenizer(name);
  for (const Json& row : vectors(tokenizer_path(name + "/lossy_utf8.jsonl.gz"))) {
    auto hex = row["bytes_hex"].get<std::string>();
    std::string bytes;
    for (size_t i = 0; i < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    EXPECT_EQ(encode(tokenizer, bytes), row["ids"].get<Ids>()) << hex;
  }
}

INSTANTIATE_TEST_SUITE_P(Tokenizers, HfVectors, ::testing::Values("deepseek_v3", "qwen2_5", "qwen3", "r1_distill_qwen_DERIVED"),
                         [](const auto& param) { return std::string(param.param); });

void expect_gguf_vectors(const Tokenizer& tokenizer, const std::string& path) {
  int n = 0;
  for (const Json& row : vectors(path)) {
    EXPECT_EQ(encode(tokenizer, row["text"].get<std::string>()), row["ids"].get<Ids>()) << path << ": " << row["text"];
    EXPECT_EQ(decode(tokenizer, row["ids"].get<Ids>()), row["text"].get<std::string>()) << path << ": " << row["ids"];
    n++;
  }
  EXPECT_GT(n, 40);
}

class GgufVectors : public ::testing::TestWithParam<const char*> {};

TEST_P(GgufVectors, AreExact) {
  std::string base = tokenizer_path("gguf_vocab/ggml-vocab-") + GetParam();
  expect_gguf_vectors(load_gguf_vocab(base + ".gguf.gz"), base + ".jsonl");
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, GgufVectors, ::testing::Values("deepseek-llm", "deepseek-coder", "gpt-2"),
                         [](const auto& param) {
                           std::string name = param.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(GgufVectors, Qwen2FromTokenizerJson) {
  expect_gguf_vectors(load_tokenizer("qwen2_5"), tokenizer_path("gguf_vocab/ggml-vocab-qwen2.jsonl"));
}

// The Llama 2 vocabulary has a licence of its own and is not in this repository.
TEST(GgufVectors, LlamaSentencePiece) {
  const char* artifacts = std::getenv("MINKE_ARTIFACTS");
  if (artifacts == nullptr)
    GTEST_SKIP() << "MINKE_ARTIFACTS does not name the directory with gguf_vocab/ggml-vocab-llama-spm.gguf.gz";
  std::string root = artifacts;
  Tokenizer tokenizer = load_gguf_vocab(root + "/gguf_vocab/ggml-vocab-llama-spm.gguf.gz");
  expect_gguf_vectors(tokenizer, root + "/tokenizer_vectors/ggml-vocab-llama-spm.jsonl");
  for (const Json& row : vectors(root + "/tokenizer_vectors/llama2_spm_llama2c_testc.jsonl")) {
    EXPECT_EQ(encode(tokenizer, row["text"].get<std::string>(), {}), row["ids_with_bos"].get<Ids>()) << row["text"];
  }
}

}  // namespace
}  // namespace minke::testing
