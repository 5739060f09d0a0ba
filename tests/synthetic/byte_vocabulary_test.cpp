#include "synthetic/byte_vocabulary.h"

#include "support/support.h"
#include "tokenizer/tokenizer.h"

namespace minke {
namespace {

Tokenizer tokenizer_of(int64_t vocab_size, int64_t bos, const std::vector<int64_t>& eos) {
  GgufMetadata metadata;
  testing::value_of(set_byte_vocabulary(metadata, vocab_size, bos, eos));
  return testing::value_of(Tokenizer::from_gguf(metadata, "test"));
}

TEST(ByteVocabulary, EncodesEveryTextAndGivesItBack) {
  // Bytes alone; some pairs; all pairs and some triples, with control tokens in between.
  for (int64_t vocab_size : {259, 30000, 151936}) {
    Tokenizer tokenizer = tokenizer_of(vocab_size, 256, {100, vocab_size - 1});
    EXPECT_EQ(tokenizer.vocab_size(), vocab_size);
    for (const std::string text : {"Hello, world 123", "안녕하세요", "\n\t\xF0\x9F\x90\x8B mixed 文字"}) {
      std::vector<TokenId> ids = testing::value_of(tokenizer.encode(text));
      EXPECT_EQ(testing::value_of(tokenizer.decode(ids)), text) << vocab_size;
    }
  }
}

TEST(ByteVocabulary, MergesPairsThenTriples) {
  Tokenizer tokenizer = tokenizer_of(256 + 65536 + 65536, -1, {});
  // In the order of breadth: byte a is 97, pair ab 256 + 97 * 256 + 98, a triple follows its pair.
  EXPECT_EQ(testing::value_of(tokenizer.encode("a")), std::vector<TokenId>{97});
  EXPECT_EQ(testing::value_of(tokenizer.encode("ab")), (std::vector<TokenId>{256 + 97 * 256 + 98}));
  EXPECT_EQ(tokenizer.token_bytes(256 + 65536), std::string_view("\0\0\0", 3));
  EXPECT_FALSE(tokenizer.bos());
}

TEST(ByteVocabulary, NamesTheControlTokens) {
  Tokenizer tokenizer = tokenizer_of(300, 298, {299, 7});
  EXPECT_EQ(tokenizer.bos(), 298);
  EXPECT_EQ(tokenizer.eos(), 299);
  for (TokenId id : {298, 299, 7}) EXPECT_TRUE(tokenizer.is_special(id)) << id;
  EXPECT_EQ(testing::value_of(tokenizer.encode("a"))[0], 98);  // moved up by the control token 7
}

TEST(ByteVocabulary, RefusesWhatHasNoRoom) {
  GgufMetadata metadata;
  EXPECT_ERROR(set_byte_vocabulary(metadata, 256, 3, {}), "a vocabulary of 255 tokens");
  EXPECT_ERROR(set_byte_vocabulary(metadata, 300, 300, {}), "token id 300 in a vocabulary of 300");
}

}  // namespace
}  // namespace minke
