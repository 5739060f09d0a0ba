// run and chat on the real stories260K.
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "run_minke.h"
#include "support/support.h"

namespace minke {
namespace {

using testing::MinkeRun;
using testing::run_minke;

std::string stories() { return testing::repository_path("tests/data/models/stories260K/hf"); }

TEST(Run, TellsTheStoryThatItsMakerRecorded) {
  Json expected =
      testing::value_of(read_json_file(testing::repository_path("tests/data/models/stories260K/expected_greedy.json")));
  std::string story = expected["expected_stdout"];
  MinkeRun run = run_minke({"run", stories(), "", "--greedy", "-n", "200"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  // llama2.c stops after 200 steps, which count the BOS: compare what both have.
  std::string text = run.out.substr(0, std::min(run.out.size(), story.size()));
  EXPECT_EQ(text, story.substr(0, text.size()));
  EXPECT_GE(text.size() + 12, story.size()) << "more than a token is missing";
  EXPECT_EQ(run.err, "");
}

TEST(Run, TheSameFromGgufAndFromStdin) {
  std::string gguf = testing::repository_path("tests/data/models/stories260K/gguf/stories260K-q8_0.gguf");
  MinkeRun a = run_minke({"run", gguf, "Once upon a time", "--greedy", "-n", "40"});
  MinkeRun b = run_minke({"run", gguf, "--greedy", "-n", "40"}, {.in = "Once upon a time"});
  EXPECT_EQ(a.exit_code, 0) << a.err;
  EXPECT_EQ(a.out, b.out);
  EXPECT_TRUE(a.out.starts_with(", there was a little girl named Lily.")) << a.out;
}

TEST(Run, JsonWithUsageAndLogprobs) {
  MinkeRun run = run_minke({"run", stories(), "Once upon a time", "--greedy", "-n", "5", "--json", "--logprobs", "2"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  Json row = testing::rows_of(run).at(0);
  EXPECT_EQ(row["finish_reason"], "length");
  EXPECT_EQ(row["usage"]["answer_tokens"], 5);
  EXPECT_EQ(row["usage"]["prompt_tokens"], 5);
  ASSERT_EQ(row["logprobs"].size(), 5u);
  EXPECT_EQ(row["logprobs"][0]["top"].size(), 2u);
  EXPECT_EQ(row["logprobs"][0]["logprob"], row["logprobs"][0]["top"][0]["logprob"]);  // greedy takes the best
  EXPECT_LE(row["logprobs"][0]["logprob"].get<double>(), 0.0);
}

TEST(Run, SpeculationChangesNoToken) {
  std::string prompt = "Lily saw a red ball. Lily saw a red ball. Lily saw a red ball. Lily saw";
  auto answer = [&](std::vector<std::string> flags) {
    std::vector<std::string> arguments = {"run", stories(), prompt, "-n",     "80",   "--seed",
                                          "3",   "--temp",  "0.7",  "--json", "--raw"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    MinkeRun run = run_minke(arguments);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return testing::rows_of(run).at(0);
  };
  Json off = answer({"--speculate", "off"}), with = answer({"--speculate", "lookup", "--draft-tokens", "3"});
  EXPECT_FALSE(off.contains("speculation"));
  ASSERT_TRUE(with.contains("speculation"));
  EXPECT_GT(with["speculation"]["drafted_tokens"], 0);
  EXPECT_EQ(off["text"], with["text"]);
  EXPECT_EQ(off["text"], answer({})["text"]);
}

TEST(Run, StopStringsEndTheAnswerBeforeThem) {
  MinkeRun run =
      run_minke({"run", stories(), "Once upon a time", "--greedy", "-n", "60", "--stop", "Lily", "--stop", "zzz", "--json"});
  Json row = testing::rows_of(run).at(0);
  EXPECT_EQ(row["text"], ", there was a little girl named ");
  EXPECT_EQ(row["finish_reason"], "stopped");
}

TEST(Run, TheSeedDecides) {
  auto story = [](const std::string& seed) {
    return run_minke({"run", stories(), "Once", "-n", "30", "--temp", "1.2", "--seed", seed, "-t", "1"}).out;
  };
  EXPECT_EQ(story("1"), story("1"));
  EXPECT_NE(story("1"), story("2"));
}

TEST(Run, BadInputIsOneLine) {
  std::string long_prompt;
  for (int i = 0; i < 600; i++) long_prompt += " once";
  struct Case {
    std::vector<std::string> arguments;
    int exit_code;
    std::string message;
  };
  for (const Case& c : std::vector<Case>{
           {{"run", stories(), long_prompt}, 1, "the context holds 512"},
           {{"run", stories(), "x", "--ctx", "4096"}, 1, "the model's context is 512"},
           {{"run", stories(), "x", "--temp", "-1"}, 1, "temperature = -1"},
           {{"run", stories(), "x", "--logit-bias", "abc"}, 1, "expected ID=VALUE"},
           {{"run", stories(), "x", "--mla", "sideways"}, 2, "--mla"},
           {{"run", stories(), "x", "--speculate", "mtp"}, 1, "no layers of multi-token prediction"},
           {{"run", stories(), "x", "--speculate", "wildly"}, 2, "--speculate"},
           {{"run", stories(), "x", "--draft-tokens", "0"}, 2, "--draft-tokens"},
           {{"run", "no/such-model", "x"}, 1, "minke pull no/such-model"},
           {{"chat", stories()}, 1, "no chat template"},
       }) {
    MinkeRun run = run_minke(c.arguments);
    EXPECT_EQ(run.exit_code, c.exit_code) << run.err;
    EXPECT_NE(run.err.find(c.message), std::string::npos) << run.err;
    EXPECT_EQ(run.out, "");
    if (c.exit_code == 1) {
      EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
    }
  }
}

TEST(Chat, TalksThroughATemplateAndReusesTheConversation) {
  testing::TemporaryDirectory directory;
  std::string file = directory.file("plain.jinja");
  testing::value_of(write_file(file, "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}"));
  MinkeRun run = run_minke({"chat", stories(), "--chat-template", file, "--greedy", "-n", "12"},
                           {.in = "Once upon a time\n/again\n/nonsense\nThen\n/clear\n/exit\nnever read\n"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  size_t first = run.out.find("there was a little girl");
  ASSERT_NE(first, std::string::npos) << run.out;
  EXPECT_NE(run.out.find("there was a little girl", first + 1), std::string::npos) << "/again gives the same greedy answer";
  EXPECT_NE(run.err.find("/nonsense is not a command"), std::string::npos) << run.err;
  EXPECT_NE(run.out.find("reused"), std::string::npos);
  EXPECT_EQ(run.out.find('\x1b'), std::string::npos) << "no escape codes in a pipe";
}

}  // namespace
}  // namespace minke
