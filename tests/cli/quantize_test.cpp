// minke quantize, imatrix and perplexity from the outside, on the real small model.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/run_minke.h"
#include "support/support.h"

namespace minke::testing {
namespace {

const std::string kModel = repository_path("tests/data/models/stories260K/hf");
constexpr const char* kText =
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big dog. "
    "The dog was very happy and wanted to play with her. Lily said, \"Hello, dog! Do you want to play with me?\" The dog "
    "wagged his tail and they played all day. ";

class QuantizeCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string text;
    for (int i = 0; i < 4; i++) text += kText;
    value_of(write_file(text_, text));
  }
  double nll_of(const std::string& model) {
    MinkeRun run = run_minke({"perplexity", model, text_, "--chunk", "128", "--json", "-t", "1"});
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return rows_of(run).at(0).at("nll").get<double>();
  }

  TemporaryDirectory scratch_;
  std::string text_ = scratch_.file("text.txt"), output_ = scratch_.file("out.gguf");
};

TEST_F(QuantizeCommand, AQuantisedModelStillPredictsTheText) {
  MinkeRun run = run_minke({"quantize", kModel, output_, "--type", "q8_0", "--json", "-t", "1"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json report = rows_of(run).at(0);
  EXPECT_EQ(report.at("bytes").get<uint64_t>(), std::filesystem::file_size(output_));
  for (const Json& type : report.at("types")) {
    if (type.at("type") != "q8_0") continue;
    EXPECT_EQ(type.at("tensors"), 31);
    // Half a step of max|x| / 127, where max|x| is at most sqrt(32) times the root mean square of a block.
    EXPECT_LT(type.at("relative_error").get<double>(), std::sqrt(32.0) * 0.5 / 127);
  }
  // A loose bound that any wrong matrix breaks: f32 and q8_0 differ by 0.0004 on 18,000 tokens (docs/LOG.md).
  EXPECT_NEAR(nll_of(output_), nll_of(kModel), 0.01);
}

TEST_F(QuantizeCommand, PrintsATableAndRefusesWhatIsThere) {
  MinkeRun run = run_minke({"quantize", kModel, output_, "--type", "q4_k_m", "-t", "1"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  for (const char* expected : {"relative error", "q5_0", "rows of 64, no multiple of q4_k's block of 256", "out.gguf"}) {
    EXPECT_NE(run.out.find(expected), std::string::npos) << run.out;
  }
  MinkeRun again = run_minke({"quantize", kModel, output_, "--type", "q4_0"});
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_NE(again.err.find("--force"), std::string::npos) << again.err;
  EXPECT_EQ(run_minke({"quantize", kModel, output_, "--type", "q4_0", "--force"}).exit_code, 0);
  EXPECT_EQ(run_minke({"quantize", kModel, output_, "--type", "q9_9"}).exit_code, 2);
  MinkeRun rule = run_minke({"quantize", kModel, output_, "--type", "q4_0", "--tensor-type", "*=q9", "--force"});
  EXPECT_EQ(rule.exit_code, 1);
  EXPECT_NE(rule.err.find("unknown type q9; known: f32"), std::string::npos) << rule.err;
}

TEST_F(QuantizeCommand, ImportancesAreCollectedAndUsed) {
  const std::string matrix = scratch_.file("im.gguf");
  MinkeRun collected =
      run_minke({"imatrix", kModel, text_, "-o", matrix, "--chunk", "64", "--n-chunks", "3", "--json", "-t", "1"});
  ASSERT_EQ(collected.exit_code, 0) << collected.err;
  EXPECT_EQ(rows_of(collected).at(0).at("tensors"), 35);
  EXPECT_EQ(rows_of(collected).at(0).at("chunks"), 3);
  EXPECT_EQ(run_minke({"imatrix", kModel, text_, "-o", matrix}).exit_code, 1);  // it exists
  ASSERT_EQ(run_minke({"quantize", kModel, output_, "--type", "q4_0", "-t", "1"}).exit_code, 0);
  MinkeRun weighted = run_minke(
      {"quantize", kModel, scratch_.file("weighted.gguf"), "--type", "q4_0", "--imatrix", matrix, "--json", "-t", "1"});
  ASSERT_EQ(weighted.exit_code, 0) << weighted.err;
  EXPECT_NE(read_test_file(output_), read_test_file(scratch_.file("weighted.gguf")));
  MinkeRun wrong = run_minke({"quantize", kModel, output_, "--type", "q4_0", "--imatrix", output_, "--force"});
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_NE(wrong.err.find("general.type is model, expected imatrix"), std::string::npos) << wrong.err;
}

TEST_F(QuantizeCommand, PerplexitySaysWhatItMeasured) {
  MinkeRun run = run_minke({"perplexity", kModel, text_, "--chunk", "64", "--stride", "16", "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json row = rows_of(run).at(0);
  EXPECT_NEAR(row.at("perplexity").get<double>(), std::exp(row.at("nll").get<double>()), 1e-9);
  EXPECT_GT(row.at("tokens").get<int>(), 300);
  EXPECT_EQ(run_minke({"perplexity", kModel, text_, "--chunk", "4096"}).exit_code, 1);
  value_of(write_file(text_, ""));
  EXPECT_NE(run_minke({"perplexity", kModel, text_}).err.find("the text is empty"), std::string::npos);
}

}  // namespace
}  // namespace minke::testing
