// From texts to a fine-tuned model with the program alone: tokenizer, shards, the two stages of recipes/tiny-test.toml, ledger,
// and an answer of the result.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "cli/run_minke.h"
#include "support/support.h"

namespace minke::testing {
namespace {

namespace fs = std::filesystem;

class Training : public ::testing::Test {
 protected:
  // With a ledger of its own.
  MinkeRun minke(const std::vector<std::string>& arguments) {
    return run_minke(arguments, {"", {{"MINKE_HOME", folder_.file("home")}}});
  }
  std::string file(const std::string& name) const { return folder_.file(name); }
  std::string write(const std::string& name, const std::string& text) {
    value_of(write_file(file(name), text));
    return file(name);
  }
  void expect_done(const std::vector<std::string>& arguments) {
    const MinkeRun run = minke(arguments);
    ASSERT_EQ(run.exit_code, 0) << arguments[0] << ": " << run.err;
  }

  // The tokenizer, the shards and the configuration that the recipe names.
  void make_data() {
    std::string text, chats;
    for (int i = 0; i < 300; i++) {
      text += "The whale swims and the whale sings, " + std::to_string(i % 10) + " times.\n나는 고래를 좋아한다.\n\n";
      chats += R"({"messages": [{"role": "user", "content": "sing"}, {"role": "assistant", "content": "la )" +
               std::to_string(i) + "\"}]}\n";
    }
    const std::string texts = write("text.txt", text), rows = write("chats.jsonl", chats);
    const std::string chat_template =
        write("chat.jinja",
              "{% for m in messages %}{{ m.role }}: {{ m.content }}<|eos|>{% endfor %}{% if add_generation_prompt %}assistant: "
              "{% endif %}");
    expect_done({"tokenizer", "train", texts, "--vocab-size", "300", "--bos", "<|bos|>", "--eos", "<|eos|>", "--chat-template",
                 chat_template, "-o", file("tokenizer")});
    expect_done({"shards", "make", texts, "--separator", "\\n\\n", "-m", file("tokenizer"), "-o", file("train.shard")});
    expect_done({"shards", "make", texts, "-m", file("tokenizer"), "-o", file("validation.shard")});
    expect_done({"shards", "make", rows, "-m", file("tokenizer"), "-o", file("chat.shard")});
    Json config = value_of(read_json_file(repository_path("tests/goldens/grads/models/deepseek_v3_mtp/config.json")));
    config["vocab_size"] = 300;
    config["eos_token_id"] = 1;
    write("config.json", dump_json(config));
    write("recipe.toml", read_test_file(repository_path("recipes/tiny-test.toml")));
  }

  TemporaryDirectory folder_;
};

TEST_F(Training, ARecipeMakesAModelThatRuns) {
  make_data();
  const MinkeRun trained = minke({"recipe", "run", file("recipe.toml"), "--json"});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  for (const char* name : {"log.jsonl", "curves.svg", "recipe.json", "done.json"}) {
    EXPECT_TRUE(fs::exists(file(std::string("out/pretrain/") + name))) << name;
    EXPECT_TRUE(fs::exists(file(std::string("out/sft/") + name))) << name;
  }
  // Again: nothing is left to do, and no row is added.
  const MinkeRun again = minke({"recipe", "run", file("recipe.toml")});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  const Json ledger = value_of(parse_json(minke({"ledger", "--json"}).out, "ledger"));
  EXPECT_NE(ledger.dump().find("tiny-sft"), std::string::npos) << ledger.dump();
  const std::string sum = minke({"ledger", "sum", "tiny-test", "--json"}).out;
  EXPECT_NE(sum.find("\"tokens\""), std::string::npos) << sum;

  const std::string checkpoint = file("out/sft");  // of a run's folder the last one
  const MinkeRun answer = minke({"run", checkpoint, "sing", "--greedy", "-n", "4"});
  EXPECT_EQ(answer.exit_code, 0) << answer.err;

  const std::vector<std::string> eval = {"eval", checkpoint, "arithmetic_addition:1", "-n", "4", "--max-tokens", "8", "--json"};
  const MinkeRun graded = minke(eval);
  ASSERT_EQ(graded.exit_code, 0) << graded.err;
  const Json report = value_of(parse_json(graded.out, "eval"));
  EXPECT_EQ(report["models"][0]["summary"][0]["n"], 4);
  EXPECT_EQ(report["models"][0]["problems"].size(), 4u);
  Json again_report = value_of(parse_json(minke(eval).out, "eval"));
  EXPECT_EQ(again_report["models"][0]["problems"], report["models"][0]["problems"]);
}

TEST_F(Training, TasksMakeTheSameProblemsAgain) {
  const std::vector<std::string> make = {"tasks", "make", "countdown:2", "arithmetic_addition:1-2", "-n", "12", "--in", "both"};
  const MinkeRun first = minke(make);
  ASSERT_EQ(first.exit_code, 0) << first.err;
  EXPECT_EQ(std::count(first.out.begin(), first.out.end(), '\n'), 12);
  EXPECT_EQ(minke(make).out, first.out);
  EXPECT_NE(first.out.find("reasoning_content"), std::string::npos);
  expect_done({"tasks", "make", "countdown:1", "-n", "3", "--as", "problems", "-o", file("p.jsonl")});
  const MinkeRun twice = minke({"tasks", "make", "countdown:1", "-n", "3", "-o", file("p.jsonl")});
  EXPECT_NE(twice.err.find("--force"), std::string::npos) << twice.err;
  EXPECT_NE(minke({"tasks", "make", "countup:1"}).err.find("countdown"), std::string::npos);
  EXPECT_NE(minke({"tasks", "make", "countdown:9"}).err.find("countdown has 1 to"), std::string::npos);
  EXPECT_NE(minke({"tasks", "list", "--json"}).out.find("knights_and_knaves"), std::string::npos);
}

TEST_F(Training, MistakesAreOneLine) {
  auto refused = [&](const std::vector<std::string>& arguments, const std::string& text) {
    const MinkeRun run = minke(arguments);
    EXPECT_EQ(run.exit_code, 1);
    EXPECT_NE(run.err.find(text), std::string::npos) << run.err;
    EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
  };
  refused({"recipe", "run", file("none.toml")}, "none.toml");
  make_data();
  std::string recipe = read_test_file(file("recipe.toml"));
  recipe.replace(recipe.find("sequence_length"), 15, "sequence_lenght");
  write("typo.toml", recipe);
  refused({"train", file("typo.toml")}, "sequence_length");
  write("train.shard", "not a shard");
  refused({"train", file("recipe.toml")}, "train.shard");
}

}  // namespace
}  // namespace minke::testing
