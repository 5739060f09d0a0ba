// Merging against its definition: look at all pairs, merge the best and leftmost, again and again.
#include "tokenizer/bpe/bpe.h"

#include <random>

#include "tokenizer/bpe/vocabulary.h"
#include "tokenizer/text/normalizer.h"
#include "tokenizer_testing.h"

namespace minke::testing {
namespace {

// A random byte-level vocabulary over "abc" whose merges build on each other.
TokenizerSpec random_spec(std::mt19937& rng, bool by_score) {
  TokenizerSpec spec;
  spec.tokens = {"a", "b", "c"};
  std::unordered_map<std::string, TokenId> ids = {{"a", 0}, {"b", 1}, {"c", 2}};
  for (int i = 0; i < 40; i++) {
    auto n = static_cast<TokenId>(spec.tokens.size());
    Merge merge{static_cast<TokenId>(rng() % static_cast<uint32_t>(n)), static_cast<TokenId>(rng() % static_cast<uint32_t>(n)),
                n};
    std::string text = spec.tokens[static_cast<size_t>(merge.left)] + spec.tokens[static_cast<size_t>(merge.right)];
    if (text.size() > 8) continue;
    auto [it, added] = ids.emplace(text, n);
    merge.result = it->second;
    if (added) spec.tokens.push_back(text);
    spec.merges.push_back(merge);
  }
  std::shuffle(spec.merges.begin(), spec.merges.end(), rng);
  spec.kinds.assign(spec.tokens.size(), TokenKind::kNormal);
  if (by_score) {
    for (size_t i = 0; i < spec.tokens.size(); i++) spec.scores.push_back(static_cast<float>(rng() % 20));
    spec.merges.clear();
  } else {
    spec.pre_tokenizer.emplace_back().kind = PreTokenizerStep::Kind::kByteLevel;
  }
  return spec;
}

Ids merge_by_definition(const TokenizerSpec& spec, const std::string& text) {
  Ids ids;
  for (char c : text) ids.push_back(c - 'a');
  while (true) {
    size_t best = 0;
    double best_rank = 1e9;
    TokenId result = -1;
    for (size_t i = 0; i + 1 < ids.size(); i++) {
      auto consider = [&](double rank, TokenId id) {
        if (rank >= best_rank) return;
        best_rank = rank;
        best = i;
        result = id;
      };
      for (size_t rank = spec.merges.size(); rank-- > 0;) {  // the last of equal pairs counts
        if (spec.merges[rank].left != ids[i] || spec.merges[rank].right != ids[i + 1]) continue;
        consider(static_cast<double>(rank), spec.merges[rank].result);
        break;
      }
      std::string joined = spec.tokens[static_cast<size_t>(ids[i])] + spec.tokens[static_cast<size_t>(ids[i + 1])];
      for (size_t id = 0; id < spec.scores.size(); id++) {
        if (spec.tokens[id] == joined) consider(-static_cast<double>(spec.scores[id]), static_cast<TokenId>(id));
      }
    }
    if (result < 0) return ids;
    ids[best] = result;
    ids.erase(ids.begin() + static_cast<ptrdiff_t>(best) + 1);
  }
}

TEST(Bpe, SameAsTheDefinition) {
  std::mt19937 rng(7);
  for (int round = 0; round < 60; round++) {
    TokenizerSpec spec = random_spec(rng, round % 2 == 1);
    Bpe bpe(spec, spec.tokens, std::vector<bool>(spec.tokens.size(), true));
    Bpe::Scratch scratch;
    for (size_t length : {1, 2, 3, 5, 8, 13, 23, 24, 25, 26, 40, 200}) {
      for (int repeat = 0; repeat < 4; repeat++) {
        std::string text;
        for (size_t i = 0; i < length; i++) text += static_cast<char>('a' + rng() % (repeat == 0 ? 1 : 3));
        Ids expected = merge_by_definition(spec, text);
        for (int again = 0; again < 2; again++) {  // the second time may take the short way for whole pieces
          Ids ids;
          bpe.encode(text, ids, scratch);
          ASSERT_EQ(ids, expected) << text;
        }
      }
    }
  }
}

TEST(Vocabulary, ByteAlphabet) {
  EXPECT_EQ(symbols_from_bytes(" \n"), "ĠĊ");
  EXPECT_EQ(byte_to_symbol(0xAD), 0x143u);
  std::string all;
  for (int byte = 0; byte < 256; byte++) all += static_cast<char>(byte);
  EXPECT_EQ(bytes_from_symbols(symbols_from_bytes(all)), all);
  EXPECT_EQ(bytes_from_symbols("a b"), std::nullopt);
  EXPECT_EQ(bytes_from_symbols("ń"), std::nullopt);  // U+0144, one past the alphabet
  EXPECT_EQ(parse_byte_token("<0x0A>"), uint8_t{10});
  for (const char* text : {"<0x0a>", "<0x0A", "<0xG0>", "0x0A", "<0x00A>"})
    EXPECT_EQ(parse_byte_token(text), std::nullopt) << text;
}

TEST(Vocabulary, MapKeepsTheFirst) {
  TokenMap map(3);
  EXPECT_TRUE(map.insert("a", 1));
  EXPECT_FALSE(map.insert("a", 2));
  EXPECT_TRUE(map.insert("", 3));
  EXPECT_EQ(map.find("a"), 1);
  EXPECT_EQ(map.find(""), 3);
  EXPECT_EQ(map.find("b"), std::nullopt);
}

TEST(Normalizer, UnicodeForms) {
  using Kind = NormalizerStep::Kind;
  EXPECT_EQ(unicode_normalize("\u1112\u1161\u11AB\u1100\u1173\u11AF", Kind::kNfc), "한글");
  EXPECT_EQ(unicode_normalize("한글", Kind::kNfd), "\u1112\u1161\u11AB\u1100\u1173\u11AF");
  EXPECT_EQ(unicode_normalize("가\u11A8", Kind::kNfc), "각");
  EXPECT_EQ(unicode_normalize("e\u0301a", Kind::kNfc), "\u00E9a");
  // Canonical order: the dot below (220) comes before the acute (230), whatever the input.
  EXPECT_EQ(unicode_normalize("q\u0301\u0323", Kind::kNfc), "q\u0323\u0301");
  EXPECT_EQ(unicode_normalize("\u212B\u2126\u0344", Kind::kNfc), "\u00C5\u03A9\u0308\u0301");
  EXPECT_EQ(unicode_normalize("ﬁ①", Kind::kNfkc), "fi1");
  EXPECT_EQ(unicode_normalize("ﬁ①", Kind::kNfc), "ﬁ①");
  EXPECT_EQ(unicode_normalize("é", Kind::kNfkd), "e\u0301");
}

TEST(Normalizer, Steps) {
  auto apply = [](NormalizerStep step, std::string text) {
    PatternScratch scratch;
    value_of(value_of(Normalizer::compile({step})).apply(text, scratch));
    return text;
  };
  NormalizerStep step;
  step.kind = NormalizerStep::Kind::kLowercase;
  EXPECT_EQ(apply(step, "AÉİ가Σ"), "aéi\u0307가σ");
  step.kind = NormalizerStep::Kind::kStrip;
  EXPECT_EQ(apply(step, " \u3000a b\n"), "a b");
  EXPECT_EQ(apply(step, " \n"), "");
  step.left = false;
  EXPECT_EQ(apply(step, " a "), " a");
  step.kind = NormalizerStep::Kind::kPrepend;
  step.content = "▁";
  EXPECT_EQ(apply(step, "a"), "▁a");
  EXPECT_EQ(apply(step, ""), "");
  step.kind = NormalizerStep::Kind::kReplace;
  step.pattern = {true, " {2,}"};
  EXPECT_EQ(apply(step, "a   b c"), "a▁b c");
  step.pattern = {false, "a"};
  EXPECT_EQ(apply(step, "aba"), "▁b▁");
}

TEST(Normalizer, LongRunsOfMarksAreNotQuadratic) {
  std::string text = "a";
  for (int i = 0; i < 200000; i++) text += "\u0301";
  for (int i = 0; i < 200000; i++) text += "\u0323";
  std::string normal = unicode_normalize(text, NormalizerStep::Kind::kNfc);
  EXPECT_EQ(normal.substr(0, 5), "\u1EA1\u0323");
}

}  // namespace
}  // namespace minke::testing
