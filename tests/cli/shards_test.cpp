// minke tokenizer train and minke shards: from a text to a shard that shows the text again.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/run_minke.h"
#include "support/support.h"

namespace minke::testing {
namespace {

class Shards : public ::testing::Test {
 protected:
  std::string file(const std::string& name) const { return folder_.file(name); }
  std::string write(const std::string& name, const std::string& text) {
    value_of(write_file(file(name), text));
    return file(name);
  }
  // A tokenizer of 280 tokens with a chat template, in folder "tok".
  MinkeRun train(std::vector<std::string> more = {}) {
    std::string text;
    for (int i = 0; i < 3; i++) text += "나는 학교에 간다. the whale swims and the whale sings\n";
    write("text.txt", text);
    write("chat.jinja",
          "{% for m in messages %}{{ m.role }}: {{ m.content }}<|eos|>{% endfor %}{% if add_generation_prompt %}assistant: {% "
          "endif %}");
    std::vector<std::string> arguments = {"tokenizer", "train",     file("text.txt"), "--vocab-size",    "280",
                                          "--bos",     "<|bos|>",   "--eos",          "<|eos|>",         "--special",
                                          "<think>",   "--special", "</think>",       "--chat-template", file("chat.jinja"),
                                          "-o",        file("tok"), "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_minke(arguments);
  }
  TemporaryDirectory folder_;
};

TEST_F(Shards, ATokenizerIsTrainedAndReadBack) {
  MinkeRun run = train();
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json out = rows_of(run)[0];
  EXPECT_EQ(out["vocab_size"], 280);
  EXPECT_EQ(out["merges"], 20);
  EXPECT_EQ(run_minke({"tokenize", "-m", file("tok"), "<think>"}).out, "2\n");
  EXPECT_EQ(run_minke({"tokenize", "-m", file("tok"), "", "--add-special"}).out, "0\n");
  const std::string first = value_of(read_file(file("tok/tokenizer.json"), 1 << 20));
  EXPECT_NE(train().err.find("exists already; --force"), std::string::npos);
  EXPECT_EQ(train({"--force"}).exit_code, 0);
  EXPECT_EQ(value_of(read_file(file("tok/tokenizer.json"), 1 << 20)), first);
}

TEST_F(Shards, ConversationsBecomeAShardThatShowsItsMask) {
  ASSERT_EQ(train().exit_code, 0);
  write("rows.jsonl",
        "{\"messages\": [{\"role\": \"user\", \"content\": \"고래?\"}, {\"role\": \"assistant\", \"content\": \"whale\"}]}\n");
  MinkeRun made = run_minke({"shards", "make", file("rows.jsonl"), "-m", file("tok"), "-o", file("a.shard"), "--json"});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_EQ(rows_of(made)[0]["documents"], 1);
  MinkeRun shown = run_minke({"shards", "show", file("a.shard"), "-m", file("tok"), "--json"});
  ASSERT_EQ(shown.exit_code, 0) << shown.err;
  const Json out = rows_of(shown)[0];
  EXPECT_EQ(out["digest"], rows_of(made)[0]["digest"]);
  const Json parts = out["rows"][0]["parts"];
  ASSERT_EQ(parts.size(), 2u) << parts.dump();
  EXPECT_EQ(parts[0]["text"], "user: 고래?<|eos|>assistant: ");
  EXPECT_EQ(parts[1]["text"], "whale<|eos|>");
  EXPECT_EQ(parts[1]["mask"], 1);
  const std::string text = run_minke({"shards", "show", file("a.shard"), "-m", file("tok")}).out;
  EXPECT_NE(text.find("]whale<|eos|>\n"), std::string::npos) << text;
  EXPECT_NE(run_minke({"shards", "make", file("rows.jsonl"), "-m", file("tok"), "-o", file("a.shard")}).err.find("--force"),
            std::string::npos);
}

TEST_F(Shards, ErrorsAreOneLineThatNamesTheFile) {
  ASSERT_EQ(train().exit_code, 0);
  auto refused = [&](const std::vector<std::string>& arguments, const std::string& text) {
    MinkeRun run = run_minke(arguments);
    EXPECT_EQ(run.exit_code, 1);
    EXPECT_NE(run.err.find(text), std::string::npos) << run.err;
    EXPECT_EQ(run.err.find('\n'), run.err.size() - 1) << run.err;
  };
  write("bad.txt", "good \xFF");
  refused({"tokenizer", "train", file("bad.txt"), "--vocab-size", "300", "-o", file("x")},
          "bad.txt: byte 5: not valid UTF-8 (0xFF)");
  refused({"shards", "make", file("bad.txt"), "-m", file("tok"), "-o", file("x.shard")},
          "bad.txt: byte 5: not valid UTF-8 (0xFF)");
  refused({"shards", "make", file("text.txt"), "-m", file("tok"), "-o", file("x.shard"), "--separator", "\\q"}, "--separator");
  refused({"shards", "show", file("text.txt")}, "text.txt: byte 0: this is not a shard");
  write("short.shard", "MNKSHARD");
  refused({"shards", "show", file("short.shard")}, "short.shard: byte 8: the file ends inside the header");
  ASSERT_EQ(run_minke({"shards", "make", file("text.txt"), "-m", file("tok"), "-o", file("a.shard")}).exit_code, 0);
  refused({"shards", "show", file("a.shard"), "-m", repository_path("tests/cli/data/tokenizer")},
          "a.shard: byte 48: made with another tokenizer");
  EXPECT_EQ(run_minke({"tokenizer"}).exit_code, 2);
  EXPECT_EQ(run_minke({"shards", "make"}).exit_code, 2);
}

}  // namespace
}  // namespace minke::testing
