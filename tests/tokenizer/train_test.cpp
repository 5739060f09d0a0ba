// Training a tokenizer: the merges of the definition, independent of the order of texts, and files that read back as the same
// tokenizer.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "tokenizer/bpe/vocabulary.h"
#include "tokenizer/files/pre_table.h"
#include "tokenizer/text/chunks.h"
#include "tokenizer/text/pre_tokenizer.h"
#include "tokenizer/tokenizer_testing.h"
#include "tokenizer/train/trainer.h"

namespace minke::testing {
namespace {

const char* const kText =
    "나는 학교에 간다. 너는 학교에서 온다.\n학교 앞에는 나무가 있다. 나무 아래에서 나는 쉰다.\n"
    "The whale swims, the whale sings; the small whale swims after the whale.\n\n"
    "aaaa aaa aaaaaaa banana bananas 1234 12345 x = y + 1;\n\tif (x) { return x; }\n"
    "나무 나무 나무 whale whales swimming swimmer\n";

TokenizerTrainingOptions options_for(int64_t n_merges, const std::string& pre = "deepseek-v3") {
  TokenizerTrainingOptions options;
  options.special = {"<|bos|>", "<|eos|>"};
  options.bos = "<|bos|>";
  options.eos = "<|eos|>";
  options.vocab_size = 258 + n_merges;
  options.pre = pre;
  return options;
}

Result<TokenizerSpec> train(const std::vector<std::string>& texts, const TokenizerTrainingOptions& options) {
  TokenizerTrainer trainer = value_of(TokenizerTrainer::create(options));
  for (const std::string& text : texts) value_of(trainer.add(text));
  return trainer.finish([](int64_t, int64_t) { return true; });
}

std::vector<std::string> pieces_of(const std::string& text, const std::string& pre) {
  PreTokenizer pre_tokenizer = value_of(PreTokenizer::compile(pre_tokenizer_steps(*find_pre_tokenizer(pre))));
  PatternScratch scratch;
  Pieces pieces{text, {{0, text.size()}}};
  value_of(pre_tokenizer.apply(pieces, true, scratch));
  std::vector<std::string> out;
  for (Span span : pieces.spans) out.push_back(pieces.text.substr(span.begin, span.end - span.begin));
  return out;
}

using Word = std::vector<TokenId>;

void replace_pair(Word& word, std::pair<TokenId, TokenId> pair, TokenId result) {
  Word out;
  for (size_t i = 0; i < word.size(); i++) {
    const bool match = i + 1 < word.size() && word[i] == pair.first && word[i + 1] == pair.second;
    out.push_back(match ? result : word[i]);
    i += match;
  }
  word = std::move(out);
}

// The definition: count all pairs anew for each merge.
std::vector<Merge> merges_by_definition(const std::string& text, const TokenizerSpec& start, int64_t n_merges,
                                        const std::string& pre) {
  std::map<uint8_t, TokenId> bytes;
  std::vector<std::string> tokens;
  for (size_t id = 0; id < 258; id++) {
    tokens.push_back(start.tokens[id]);
    if (id >= 2) bytes[static_cast<uint8_t>(bytes_from_symbols(start.tokens[id])->front())] = static_cast<TokenId>(id);
  }
  std::vector<Word> words;
  for (const std::string& piece : pieces_of(text, pre)) {
    words.emplace_back();
    for (char byte : piece) words.back().push_back(bytes[static_cast<uint8_t>(byte)]);
  }
  std::vector<Merge> merges;
  while (static_cast<int64_t>(tokens.size()) < 258 + n_merges) {
    std::map<std::pair<TokenId, TokenId>, int64_t> counts;
    for (const Word& word : words) {
      for (size_t i = 0; i + 1 < word.size(); i++) counts[{word[i], word[i + 1]}]++;
    }
    auto best = counts.begin();  // the map goes from small ids to large ones: the first of equals stays
    for (auto it = counts.begin(); it != counts.end(); it++) best = it->second > best->second ? it : best;
    const auto [left, right] = best->first;
    const std::string joined = tokens[static_cast<size_t>(left)] + tokens[static_cast<size_t>(right)];
    auto known = std::find(tokens.begin(), tokens.end(), joined);
    merges.push_back({left, right, static_cast<TokenId>(known - tokens.begin())});
    if (known == tokens.end()) tokens.push_back(joined);
    for (Word& word : words) replace_pair(word, best->first, merges.back().result);
  }
  return merges;
}

TEST(TokenizerTraining, LearnsTheMergesOfTheDefinition) {
  for (const char* pre : {"deepseek-v3", "gpt-2", "llama-bpe", "gpt-4o"}) {
    const TokenizerSpec spec = value_of(train({kText, kText}, options_for(110, pre)));
    const std::vector<Merge> expected = merges_by_definition(kText, spec, 110, pre);
    ASSERT_EQ(spec.merges.size(), expected.size());
    for (size_t i = 0; i < expected.size(); i++) {
      EXPECT_EQ(spec.merges[i].left, expected[i].left) << pre << " " << i;
      EXPECT_EQ(spec.merges[i].right, expected[i].right) << pre << " " << i;
      EXPECT_EQ(spec.merges[i].result, expected[i].result) << pre << " " << i;
    }
  }
}

TEST(TokenizerTraining, DoesNotDependOnTheOrderOfTexts) {
  std::vector<std::string> texts = {kText, kText, "the whale\n", "나무와 고래", "swim swim swim"};
  const std::vector<std::string> tokens = value_of(train(texts, options_for(100))).tokens;
  std::mt19937 random(1);
  for (int i = 0; i < 5; i++) {
    std::shuffle(texts.begin(), texts.end(), random);
    EXPECT_EQ(value_of(train(texts, options_for(100))).tokens, tokens);
  }
}

TEST(TokenizerTraining, TheFilesReadBackAsTheSameTokenizer) {
  for (const PreTokenizerRow& row : pre_tokenizer_table()) {
    TokenizerTrainingOptions options = options_for(80, std::string(row.names.front()));
    options.pad = "<|eos|>";
    options.chat_template = "{{ bos_token }}{{ messages[0].content }}";
    const Tokenizer trained = value_of(Tokenizer::from_spec(value_of(train({kText, kText}, options)), "trained"));
    const Tokenizer::HfFiles files = value_of(trained.to_tokenizer_json());
    TemporaryDirectory folder;
    value_of(write_file(folder.file("tokenizer.json"), files.tokenizer_json));
    value_of(write_file(folder.file("tokenizer_config.json"), files.tokenizer_config_json));
    const Tokenizer read = value_of(Tokenizer::from_directory(folder.path().string()));
    EXPECT_EQ(read.vocab_size(), 338);
    EXPECT_EQ(read.bos(), 0);
    EXPECT_EQ(read.eos(), 1);
    EXPECT_EQ(read.pad(), 1);
    ASSERT_NE(read.chat_template(), nullptr);
    EXPECT_EQ(*read.chat_template(), options.chat_template);
    EXPECT_EQ(read.token_text(2), "!");
    for (std::string text : {kText, "<|eos|>나무 whale", "", "한국어와 English, 日本語 \xF0\x9F\x90\x8B\r\n\r\n  3.14"}) {
      const Ids ids = encode(read, text, {.add_special = true});
      EXPECT_EQ(ids, encode(trained, text, {.add_special = true}));
      EXPECT_EQ(ids.front(), 0);
      EXPECT_EQ(decode(read, ids, {.skip_special = false}), "<|bos|>" + text) << row.names.front();
    }
    EXPECT_EQ(encode(read, " whale").size(), 1u);
  }
}

TEST(TokenizerTraining, ATokenIsNeverSpelledLikeASpecialOne) {
  TokenizerTrainingOptions options = options_for(100, "gpt-2");
  options.special = {"<|bos|>", "<|eos|>", "wha"};
  options.vocab_size++;
  const TokenizerSpec spec = value_of(train({kText, kText}, options));
  EXPECT_EQ(std::count(spec.tokens.begin(), spec.tokens.end(), "wha"), 1);
  EXPECT_EQ(spec.tokens[2], "wha");
  EXPECT_TRUE(Tokenizer::from_spec(spec, "trained").has_value());
}

TEST(TokenizerTraining, RolesThatAreNotAmongTheSpecialTokensGoBeforeThem) {
  TokenizerTrainingOptions options = options_for(100, "gpt-2");
  options.special = {"wha", "<|eos|>"};
  options.bos = options.pad = "<|bos|>";
  options.eos = "<|eos|>";
  options.vocab_size++;
  const TokenizerSpec spec = value_of(train({kText, kText}, options));
  EXPECT_EQ(std::vector(spec.tokens.begin(), spec.tokens.begin() + 3), (std::vector<std::string>{"<|bos|>", "wha", "<|eos|>"}));
}

TEST(TokenizerTraining, WhatCannotBeDoneIsAnError) {
  EXPECT_ERROR(train({"ab ab cd"}, options_for(5)), "the texts give 259 tokens, not 263: no other pair of tokens occurs twice");
  EXPECT_ERROR(train({}, options_for(1)), "the texts give 258 tokens");
  EXPECT_ERROR(TokenizerTrainer::create(options_for(-1)), "vocabulary size 257: expected 258 (256 bytes and 2 special tokens)");
  EXPECT_ERROR(TokenizerTrainer::create(options_for(1 << 22)), "vocabulary size");
  EXPECT_ERROR(TokenizerTrainer::create(options_for(1, "gpt-9")), "pre-tokenizer \"gpt-9\" is not known; known are default, ");
  TokenizerTrainingOptions options = options_for(10);
  options.special = {"<|bos|>", "<|eos|>", "<|bos|>"};
  EXPECT_ERROR(TokenizerTrainer::create(options), "\"<|bos|>\": given twice");
  options.special = {"<|bos|>", "<|eos|>", "A"};
  EXPECT_ERROR(TokenizerTrainer::create(options), "\"A\": is already the token of a byte");
  TokenizerTrainer trainer = value_of(TokenizerTrainer::create(options_for(1)));
  EXPECT_ERROR(trainer.add("a\xFF"), "not valid UTF-8");
}

// Fragments whose neighbourhoods decide where the known patterns cut.
std::string tricky_text(uint32_t seed) {
  const std::vector<std::string> kFragments = {
      "word",   " ",  "\n", "\n\n", "\r\n", "\t",     ".", "/", "12345", "나무", "\u3000",
      "\u00A0", "'s", "{",  "}\n",  "日本", "\u0301", "é", "-", "A",     ";\n",  "\xF0\x9F\x90\x8B"};
  std::mt19937 random(seed);
  std::string text;
  for (int i = 0; i < 60; i++) text += kFragments[random() % kFragments.size()];
  return text;
}

TEST(Chunks, PiecesDoNotChangeWhereATextIsCut) {
  size_t n_cuts = 0;
  for (const PreTokenizerRow& row : pre_tokenizer_table()) {
    const std::string pre(row.names.front());
    for (uint32_t seed = 0; seed < 60; seed++) {
      const std::string text = seed == 0 ? std::string(kText) : tricky_text(seed);
      std::vector<std::string> in_parts;
      for (size_t begin = 0; begin < text.size();) {
        const size_t end = next_chunk_end(text, begin, 1);
        for (std::string& piece : pieces_of(text.substr(begin, end - begin), pre)) in_parts.push_back(std::move(piece));
        n_cuts += end < text.size();
        begin = end;
      }
      EXPECT_EQ(in_parts, pieces_of(text, pre)) << pre << " " << seed;
    }
  }
  EXPECT_GT(n_cuts, 500u);
}

TEST(Chunks, AreAtLeastAsLongAsAskedForAndEndWithTheText) {
  const std::string text = "one\ntwo\n\nthree\nfour";
  EXPECT_EQ(next_chunk_end(text, 0, 1), 4u);
  EXPECT_EQ(next_chunk_end(text, 0, 4), 4u);
  EXPECT_EQ(next_chunk_end(text, 0, 5), 15u);  // not in the blank line
  EXPECT_EQ(next_chunk_end(text, 4, 1), 15u);
  EXPECT_EQ(next_chunk_end(text, 15, 1), text.size());
  EXPECT_EQ(next_chunk_end(text, 0, 100), text.size());
  EXPECT_EQ(next_chunk_end("no line break", 0, 1), 13u);
}

}  // namespace
}  // namespace minke::testing
