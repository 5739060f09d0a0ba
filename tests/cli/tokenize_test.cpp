// minke tokenize over a tiny byte-level tokenizer, made for this test: ids 0..255 are bytes, "hello" is 259, <|bos|> and
// <|eos|> are special.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/run_minke.h"
#include "support/support.h"

namespace minke::testing {
namespace {

std::string tokenizer() { return repository_path("tests/cli/data/tokenizer"); }

std::vector<Json> tokenize_rows(const std::string& rows, std::vector<std::string> flags = {}) {
  flags.insert(flags.begin(), {"tokenize", "--tokenizer", tokenizer(), "--jsonl"});
  MinkeRun run = run_minke(flags, {rows, {}});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.err, "");
  return rows_of(run);
}

TEST(Tokenize, OneTextBothWays) {
  EXPECT_EQ(run_minke({"tokenize", "-m", tokenizer(), "hello"}).out, "259\n");
  EXPECT_EQ(run_minke({"tokenize", "-m", tokenizer(), "hello", "--add-special", "--json"}).out, "{\"ids\":[262,259]}\n");
  EXPECT_EQ(run_minke({"tokenize", "-m", tokenizer() + "/tokenizer.json", "--decode", "259, 260"}).out, "hello w\n");
  EXPECT_EQ(run_minke({"tokenize", "-m", tokenizer()}, {"hello", {}}).out, "259\n");
  EXPECT_EQ(run_minke({"tokenize", "-m", tokenizer(), ""}).out, "\n");
  EXPECT_EQ(run_minke({"tokenize", "-m", tokenizer(), "é\n", "--pieces"}).out,
            "     195  \\xC3\n     169  \\xA9\n      10  \\x0A\n");
  EXPECT_EQ(run_minke({"tokenize", "-m", tokenizer(), "hello<|eos|>", "--pieces"}).out,
            "     259  hello\n     263  <|eos|>  (special)\n");
}

TEST(Tokenize, RowsFollowTheFlags) {
  std::string rows = "{\"text\": \"hello<|eos|>\"}\n{\"ids\": [262, 259, 263]}\n";
  EXPECT_EQ(tokenize_rows(rows)[0]["ids"], Json({259, 263}));
  EXPECT_EQ(tokenize_rows(rows)[1]["text"], "<|bos|>hello<|eos|>");
  EXPECT_EQ(tokenize_rows(rows, {"--add-special"})[0]["ids"], Json({262, 259, 263}));
  std::vector<Json> plain = tokenize_rows(rows, {"--no-special"});
  EXPECT_EQ(plain[0]["ids"].size(), 8u) << plain[0].dump();  // seven characters in place of <|eos|>
  EXPECT_EQ(plain[1]["text"], "hello");
}

TEST(Tokenize, ARowBeatsTheFlags) {
  std::vector<Json> out = tokenize_rows(
      "{\"text\": \"hello\", \"add_special\": true}\n{\"text\": \"<|eos|>\", \"parse_special\": false}\n"
      "{\"ids\": [259, 263], \"skip_special\": true}\n");
  EXPECT_EQ(out[0]["ids"], Json({262, 259}));
  EXPECT_EQ(out[1]["ids"].size(), 7u);
  EXPECT_EQ(out[2]["text"], "hello");
}

TEST(Tokenize, TextOfAllKindsComesBack) {
  for (std::string text : {"", "안녕하세요", "a\nb\t\"c\"", "\xF0\x9F\x90\x8B whale"}) {
    std::vector<Json> ids = tokenize_rows(Json{{"text", text}}.dump());
    std::vector<Json> back = tokenize_rows(Json{{"ids", ids[0]["ids"]}}.dump());
    EXPECT_EQ(back[0]["text"], text);
  }
}

TEST(Tokenize, BadRowsBecomeErrorRowsAndTheRestIsDone) {
  std::vector<Json> out = tokenize_rows(
      "not json\n[1]\n{}\n{\"text\": 3}\n{\"ids\": [\"a\"]}\n{\"ids\": [999999]}\n{\"ids\": [-1]}\n{\"text\": \"a\", \"ids\": "
      "[]}\n"
      "{\"text\": \"a\", \"add_special\": 1}\n\n{\"text\": \"hello\"}\n");
  ASSERT_EQ(out.size(), 10u);
  for (size_t i = 0; i < 9; i++) {
    EXPECT_TRUE(out[i].contains("error")) << out[i].dump();
    EXPECT_EQ(out[i]["line"], i + 1);
  }
  EXPECT_EQ(out[9]["ids"], Json({259}));
}

TEST(Tokenize, ErrorsNameTheFile) {
  TemporaryDirectory folder;
  value_of(write_file(folder.file("tokenizer.json"), "{\"model\": "));
  for (std::string path :
       {folder.path().string(), folder.file("tokenizer.json"), repository_path("tests/goldens/models/qwen3")}) {
    MinkeRun run = run_minke({"tokenize", "-m", path, "hello"});
    EXPECT_EQ(run.exit_code, 1);
    EXPECT_NE(run.err.find(path), std::string::npos) << run.err;
    EXPECT_EQ(run.err.find('\n'), run.err.size() - 1) << run.err;
  }
  EXPECT_EQ(run_minke({"tokenize", "-m", tokenizer(), "--file", "/no/such/file"}).exit_code, 1);
  EXPECT_EQ(run_minke({"tokenize", "-m", tokenizer(), "--jsonl", "/no/such/file"}).exit_code, 1);
  EXPECT_EQ(run_minke({"tokenize", "-m", tokenizer(), "--decode", "1,x"}).exit_code, 1);
  EXPECT_EQ(run_minke({"tokenize", "-m", tokenizer(), "a", "--file", "b"}).exit_code, 2);
}

}  // namespace
}  // namespace minke::testing
