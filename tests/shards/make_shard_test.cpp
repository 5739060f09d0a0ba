// From files to shards: documents as they were written, and errors that name file and place.
#include "data/make_shard.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "data/documents.h"
#include "shards/shard_testing.h"
#include "tokenizer/train/trainer.h"

namespace minke::testing {
namespace {

Tokenizer small_tokenizer(int64_t vocab_size = 290) {
  TokenizerTrainingOptions options;
  options.special = {"<|bos|>", "<|eos|>"};
  options.bos = "<|bos|>";
  options.eos = "<|eos|>";
  options.vocab_size = vocab_size;
  TokenizerTrainer trainer = value_of(TokenizerTrainer::create(options));
  for (int i = 0; i < 2; i++)
    value_of(trainer.add("학교 학교 학교에서 나무 나무 the whale the whale the thesis swims swims and and and 123 123 "));
  return value_of(Tokenizer::from_spec(value_of(trainer.finish([](int64_t, int64_t) { return true; })), "small"));
}

class MakeShard : public ::testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) {
    value_of(write_file(folder_.file(name), text));
    return folder_.file(name);
  }
  Result<std::optional<ShardInfo>> make(const std::vector<std::string>& inputs, const std::string& separator = "") {
    MakeShardOptions options{inputs, folder_.file("out.shard"), separator,
                             "{% for m in messages %}{{ m.role }}:{{ m.content }}<|eos|>{% endfor %}"};
    return make_shard(tokenizer_, options, [](uint64_t, uint64_t) { return true; });
  }
  std::vector<std::string> documents() {
    const Shard shard = value_of(Shard::open(folder_.file("out.shard")));
    std::vector<std::string> out;
    for (int64_t i = 0; i < shard.info().n_documents; i++) {
      std::vector<TokenId> tokens;
      shard.append_tokens(tokens, shard.document_begin(i), shard.document_end(i));
      out.push_back(value_of(tokenizer_.decode(tokens)));
    }
    return out;
  }
  TemporaryDirectory folder_;
  Tokenizer tokenizer_ = small_tokenizer();
};

TEST_F(MakeShard, TextsAreDocumentsBetweenBosAndEos) {
  value_of(make({file("a.txt", "나무 아래\n\n고래"), file("b.txt", "the <|eos|> whale")}));
  EXPECT_EQ(documents(), (std::vector<std::string>{"<|bos|>나무 아래\n\n고래<|eos|>", "<|bos|>the <|eos|> whale<|eos|>"}));
  const Shard shard = value_of(Shard::open(folder_.file("out.shard")));
  EXPECT_EQ(shard.info().vocab_size, 290);
  EXPECT_EQ(shard.info().tokenizer_digest, vocabulary_digest(tokenizer_));
  int n_eos = 0;
  for (int64_t i = 0; i < shard.info().n_tokens; i++) n_eos += shard.token(i) == 1;
  EXPECT_EQ(n_eos, 2);  // the one spelled in the text is text
}

TEST_F(MakeShard, SeparatorsCutTextFiles) {
  value_of(make({file("a.txt", "\n\n one\n\n\n\ntwo\nlines\r\n\n \n\nthree\n")}, "\n\n"));
  EXPECT_EQ(documents(), (std::vector<std::string>{"<|bos|> one<|eos|>", "<|bos|>two\nlines<|eos|>", "<|bos|>three<|eos|>"}));
  value_of(make({file("a.txt", "a---b---")}, "---"));
  EXPECT_EQ(documents(), (std::vector<std::string>{"<|bos|>a<|eos|>", "<|bos|>b<|eos|>"}));
  EXPECT_EQ(value_of(unescape_separator("\\n\\t\\\\n")), "\n\t\\n");
  EXPECT_ERROR(unescape_separator("\\x"), "after a backslash expected");
  EXPECT_ERROR(unescape_separator("a\\"), "after a backslash expected");
}

TEST_F(MakeShard, RowsOfEachKind) {
  value_of(make({file(
      "a.jsonl",
      "{\"text\": \"고래\", \"id\": 3}\n\n{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"assistant\", "
      "\"content\": \"b\"}]}\r\n{\"prompt\": \"p\", \"completion\": \"c\"}")}));
  EXPECT_EQ(documents(),
            (std::vector<std::string>{"<|bos|>고래<|eos|>", "user:a<|eos|>assistant:b<|eos|>", "<|bos|>pc<|eos|>"}));
  const Shard shard = value_of(Shard::open(folder_.file("out.shard")));
  ASSERT_TRUE(shard.info().has_mask);
  EXPECT_TRUE(shard.counts(shard.document_begin(0)));
  EXPECT_FALSE(shard.counts(shard.document_begin(1)));
  EXPECT_FALSE(shard.counts(shard.document_begin(2) + 1));
  EXPECT_TRUE(shard.counts(shard.document_begin(2) + 2));
}

TEST_F(MakeShard, LongTextsAreTheTokensOfTheWhole) {
  std::string text;
  for (uint64_t i = 0; text.size() < 3'300'000; i++) {
    const uint64_t draw = splitmix64(i);
    text += std::vector<std::string>{"the whale", " swims", "\n", "\n\n", "학교에서 ", "  and", ".", "123", "나무\n"}[draw % 9];
  }
  value_of(make({file("a.txt", text)}));
  const Shard shard = value_of(Shard::open(folder_.file("out.shard")));
  std::vector<TokenId> tokens, expected = value_of(tokenizer_.encode(text, {.add_special = true}));
  expected.push_back(1);
  shard.append_tokens(tokens, 0, shard.info().n_tokens);
  EXPECT_EQ(tokens, expected);
}

TEST_F(MakeShard, TheSplitFollowsTheTextNotTheTokenizer) {
  value_of(make({file("a.txt", "one\n\ntwo\n\none")}, "\n\n"));
  const Shard first = value_of(Shard::open(folder_.file("out.shard")));
  EXPECT_EQ(first.document_hash(0), first.document_hash(2));
  EXPECT_NE(first.document_hash(0), first.document_hash(1));
  tokenizer_ = small_tokenizer(270);
  value_of(make({file("b.jsonl", "{\"text\": \"two\"}")}));
  const Shard second = value_of(Shard::open(folder_.file("out.shard")));
  EXPECT_EQ(first.document_hash(1), second.document_hash(0));
  EXPECT_NE(first.info().tokenizer_digest, second.info().tokenizer_digest);
}

TEST_F(MakeShard, ErrorsNameFileAndPlaceAndLeaveNoShard) {
  auto refused = [&](const std::string& name, const std::string& text, const std::string& message) {
    EXPECT_ERROR(make({file("good.txt", "fine"), file(name, text)}), folder_.file(name) + ": " + message);
    EXPECT_FALSE(std::filesystem::exists(folder_.file("out.shard")));
    EXPECT_FALSE(std::filesystem::exists(folder_.file("out.shard.incomplete")));
  };
  refused("a.txt", "", "the file is empty");
  refused("a.txt", " \n\n", "there is no text in the file");
  refused("a.jsonl", "\n\n", "there is no row in the file");
  refused("a.txt", "가나\xFF", "byte 6: not valid UTF-8 (0xFF)");
  refused("a.txt", "가나\xEA\xB0", "byte 6: not valid UTF-8 (0xEA)");
  const std::string good = "{\"text\": \"a\"}\n";
  refused("a.jsonl", good + "{\"text\": \"\xC0\"}", "line 2: byte 24: not valid UTF-8 (0xC0)");
  refused("a.jsonl", good + "\n{\"text\": NaN}", "line 3: row: not valid JSON at byte");
  refused("a.jsonl", good + "{\"text\": \"a\"", "line 2: row: not valid JSON");
  refused("a.jsonl", good + "[1]", "line 2: expected an object with \"text\"");
  refused("a.jsonl", good + "{\"txt\": 1}", "line 2: expected an object with \"text\"");
  refused("a.jsonl", good + "{\"text\": \"a\", \"messages\": []}", "line 2: expected an object with \"text\"");
  refused("a.jsonl", good + "{\"prompt\": \"a\"}", "line 2: expected an object with \"text\"");
  refused("a.jsonl", good + "{\"text\": 5}", "line 2: text: expected text, got number");
  refused("a.jsonl", good + "{\"text\": \"\"}", "line 2: text: is empty");
  refused("a.jsonl", good + "{\"messages\": 5}", "line 2: messages: expected a list of messages, got number");
  EXPECT_ERROR(make({folder_.file("missing.txt")}), "missing.txt: cannot open");
}

TEST_F(MakeShard, StoppingLeavesNoFile) {
  MakeShardOptions options{{file("a.txt", "a"), file("b.txt", "b")}, folder_.file("out.shard"), "", ""};
  const auto info = value_of(make_shard(tokenizer_, options, [](uint64_t done, uint64_t of) { return done < 1 || of != 2; }));
  EXPECT_FALSE(info.has_value());
  EXPECT_FALSE(std::filesystem::exists(folder_.file("out.shard")));
}

}  // namespace
}  // namespace minke::testing
