// What a stream gives out is whole characters, and together the decoded text.
#include <random>
#include <thread>

#include "base/utf8.h"
#include "tokenizer_testing.h"

namespace minke::testing {
namespace {

const char* const kTexts[] = {
    "안녕하세요, 반갑습니다! 오늘은 날씨가 참 좋네요.",
    "뷁쓩꿹햏 ㄱㄴㄷ ㅏㅑ ㅋㅋㅋㅋ 갂갃",
    "\u1112\u1161\u11AB\u1100\u1173\u11AF \u1102\u1161\u1105\u1161 \u302E\u302F",  // conjoining Jamo, tone marks
    "👨\u200D👩\u200D👧\u200D👦 🇰🇷🇺🇸 👍🏽 ❤\uFE0F\u200D🔥 1\uFE0F\u20E3",
    "한글🙂mixed漢字かな Ünïcödé \u200B\uFEFF\r\n\t끝",
    "def f(x):\n    return \"값\" * x  # 주석",
};

void expect_stream(const Tokenizer& tokenizer, const Ids& ids, DecodeOptions options = {}) {
  StreamDecoder decoder(tokenizer, options);
  std::string text;
  for (TokenId id : ids) {
    std::string part = decoder.push(id);
    EXPECT_TRUE(utf8_valid(part));
    text += part;
  }
  std::string rest = decoder.flush();
  EXPECT_TRUE(utf8_valid(rest));
  EXPECT_EQ(text + rest, decode(tokenizer, ids, options));
  EXPECT_EQ(decoder.flush(), "");
}

// The ids of a text that is cut at random bytes, so that tokens end inside characters as a model's may.
Ids cut_into_tokens(const Tokenizer& tokenizer, const std::string& text, std::mt19937& rng) {
  Ids ids;
  for (size_t pos = 0; pos < text.size();) {
    size_t size = 1 + rng() % 4;
    std::string piece;
    for (char c : text.substr(pos, size)) {
      // One byte at a time: every byte of these texts is a token.
      std::string byte(1, c);
      for (TokenId id = 0; id < 256 + 3; id++) {
        if (tokenizer.token_bytes(id) == byte) ids.push_back(id);
      }
    }
    pos += size;
  }
  return ids;
}

class Streaming : public ::testing::TestWithParam<const char*> {
 protected:
  Tokenizer tokenizer_ = load_tokenizer(GetParam());
};

TEST_P(Streaming, KoreanAndEmojiComeBack) {
  for (const char* text : kTexts) {
    Ids ids = encode(tokenizer_, text);
    expect_stream(tokenizer_, ids);
    for (size_t cut = 0; cut <= ids.size(); cut++) {
      expect_stream(tokenizer_, Ids(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(cut)));
      expect_stream(tokenizer_, Ids(ids.begin() + static_cast<ptrdiff_t>(cut), ids.end()));
    }
  }
  EXPECT_EQ(decode(tokenizer_, encode(tokenizer_, kTexts[0])), kTexts[0]);
}

TEST_P(Streaming, EverySplitOfTheBytes) {
  std::mt19937 rng(11);
  for (const char* text : kTexts) {
    Ids ids = cut_into_tokens(tokenizer_, text, rng);
    EXPECT_EQ(decode(tokenizer_, ids), text);
    expect_stream(tokenizer_, ids);
    for (int round = 0; round < 30; round++) {
      // Some bytes missing: what remains is not UTF-8.
      Ids damaged;
      for (TokenId id : ids) {
        if (rng() % 5 != 0) damaged.push_back(id);
      }
      expect_stream(tokenizer_, damaged);
    }
  }
}

TEST_P(Streaming, RandomIds) {
  std::mt19937 rng(13);
  for (int round = 0; round < 300; round++) {
    Ids ids;
    for (int i = 0; i < 20; i++) {
      auto id = static_cast<TokenId>(rng() % static_cast<uint32_t>(tokenizer_.vocab_size()));
      if (tokenizer_.has_token(id)) ids.push_back(id);
    }
    expect_stream(tokenizer_, ids);
    expect_stream(tokenizer_, ids, {.skip_special = true});
  }
}

TEST_P(Streaming, BytesOfTokensAreTheBytesOfTheText) {
  for (const char* text : kTexts) {
    std::string bytes;
    for (TokenId id : encode(tokenizer_, text)) bytes += tokenizer_.token_bytes(id);
    EXPECT_EQ(bytes, decode(tokenizer_, encode(tokenizer_, text)));
  }
}

INSTANTIATE_TEST_SUITE_P(Tokenizers, Streaming, ::testing::Values("deepseek_v3", "qwen2_5"),
                         [](const auto& param) { return std::string(param.param); });

TEST(StreamingByteFallback, RunsOfBytesAreUtf8AsAWholeOrNotAtAll) {
  Tokenizer tokenizer = value_of(Tokenizer::from_directory(tokenizer_path("stories260K")));
  auto byte = [](int value) { return value + 3; };
  EXPECT_EQ(tokenizer.token_text(byte(0xEA)), "<0xEA>");
  EXPECT_EQ(tokenizer.token_bytes(byte(0xEA)), "\xEA");
  for (const char* text : kTexts) {
    Ids ids = encode(tokenizer, text);
    EXPECT_EQ(decode(tokenizer, ids), text);
    expect_stream(tokenizer, ids);
  }
  // 가 = EA B0 80; cut, or followed by a stray byte, every byte is replaced, as the reference does.
  StreamDecoder decoder(tokenizer);
  for (int value : {0xEA, 0xB0, 0x80}) EXPECT_EQ(decoder.push(byte(value)), "");
  EXPECT_EQ(decoder.flush(), "가");
  EXPECT_EQ(decode(tokenizer, {byte(0xEA), byte(0xB0)}), "\uFFFD\uFFFD");
  EXPECT_EQ(decode(tokenizer, {byte(0xEA), byte(0xB0), byte(0x80), byte(0xFF)}), "\uFFFD\uFFFD\uFFFD\uFFFD");
  std::mt19937 rng(17);
  for (int round = 0; round < 300; round++) {
    Ids ids;
    for (int i = 0; i < 12; i++) ids.push_back(static_cast<TokenId>(rng() % static_cast<uint32_t>(tokenizer.vocab_size())));
    expect_stream(tokenizer, ids);
  }
}

TEST(Concurrency, ManyThreadsShareATokenizer) {
  Tokenizer tokenizer = load_tokenizer("deepseek_v3");
  std::vector<Ids> expected;
  for (const char* text : kTexts) expected.push_back(encode(load_tokenizer("deepseek_v3"), text));
  std::vector<std::thread> threads;
  std::atomic<int> n_wrong = 0;
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&, copy = tokenizer] {
      for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < std::size(kTexts); i++) {
          Ids ids = encode(copy, kTexts[i]);
          n_wrong += ids != expected[i] || decode(tokenizer, ids) != kTexts[i];
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(n_wrong, 0);
}

}  // namespace
}  // namespace minke::testing
