// What every command has in common: help in two languages, exit codes, errors of one line, no escape codes in pipes.
#include <gtest/gtest.h>

#include <iterator>
#include <set>
#include <sstream>

#include "cli/run_minke.h"
#include "support/support.h"

namespace minke::testing {
namespace {

const char* const kCommands[] = {"tokenize", "template", "logits",  "check",      "show",      "bench",  "doctor", "pull", "ls",
                                 "rm",       "quantize", "imatrix", "perplexity", "tokenizer", "shards", "plan",   "data"};

bool has_korean(const std::string& text) {
  for (size_t i = 0; i + 2 < text.size(); i++) {  // U+AC00..U+D7A3 in UTF-8
    auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0xEA && byte <= 0xED) return true;
  }
  return false;
}

TEST(Usage, EveryCommandHasHelpWithAnExample) {
  for (std::string command : kCommands) {
    MinkeRun run = run_minke({command, "--help"});
    EXPECT_EQ(run.exit_code, 0) << command;
    EXPECT_NE(run.out.find("Example"), std::string::npos) << command;
    EXPECT_NE(run.out.find("minke " + command), std::string::npos) << command;
    EXPECT_FALSE(has_korean(run.out)) << run.out;
  }
}

// CLI11 keeps what an option excludes in the order of addresses, which differs from run to run.
std::multiset<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

TEST(Usage, EveryCommandHasKoreanHelp) {
  for (std::string command : kCommands) {
    MinkeRun by_flag = run_minke({command, "--help", "--lang", "ko"});
    EXPECT_EQ(by_flag.exit_code, 0) << command;
    EXPECT_TRUE(has_korean(by_flag.out)) << command;
    EXPECT_NE(by_flag.out.find("예: minke " + command), std::string::npos) << by_flag.out;
    EXPECT_EQ(words_of(run_minke({command, "--help"}, {"", {{"LANG", "ko_KR.UTF-8"}}}).out), words_of(by_flag.out)) << command;
  }
}

TEST(Usage, UnknownFlagsAndMissingArgumentsExitWith2) {
  for (std::string command : kCommands) EXPECT_EQ(run_minke({command, "--no-such-flag"}).exit_code, 2) << command;
  for (std::string command : {"tokenize", "logits", "check", "show", "pull", "rm", "quantize", "imatrix", "perplexity"})
    EXPECT_EQ(run_minke({command}).exit_code, 2) << command;
  EXPECT_EQ(run_minke({"frobnicate"}).exit_code, 2);
  EXPECT_EQ(run_minke({}).exit_code, 2);
}

TEST(Usage, AMissingModelIsOneLineThatSaysHowToGetIt) {
  for (std::string command : {"show", "logits"}) {
    MinkeRun run = run_minke({command, "nobody/nothing"});
    EXPECT_EQ(run.exit_code, 1);
    EXPECT_EQ(run.out, "");
    EXPECT_NE(run.err.find("nobody/nothing"), std::string::npos) << run.err;
    EXPECT_NE(run.err.find("minke pull nobody/nothing"), std::string::npos) << run.err;
    EXPECT_EQ(run.err.find('\n'), run.err.size() - 1) << run.err;
  }
  EXPECT_NE(run_minke({"show", "./nothing.gguf"}).err.find("./nothing.gguf: no such file or folder"), std::string::npos);
  EXPECT_NE(run_minke({"show", "what is this"}).err.find("minke ls"), std::string::npos);
}

TEST(Usage, NothingInAPipeHasEscapeCodes) {
  std::string model = repository_path("tests/goldens/models/qwen3");
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"show", model, "--tensors"}, {"doctor"}, {"ls"}}) {
    for (const char* no_color : {"", "1"}) {
      MinkeRun run = run_minke(arguments, {"", {{"NO_COLOR", no_color}, {"TERM", "xterm-256color"}}});
      EXPECT_EQ(run.exit_code, 0) << run.err;
      EXPECT_EQ((run.out + run.err).find('\x1b'), std::string::npos) << arguments[0];
    }
  }
}

}  // namespace
}  // namespace minke::testing
