// A genuine trained model, stories260K (A. Karpathy's llama2.c): greedy continuations of 15 prompts in three weight formats
// against a float64 forward of the same weights. The closest race between two tokens is 1.1e-3, far above f32 rounding.
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "engine/generator.h"
#include "support/sanitized.h"
#include "support/support.h"

namespace minke {
namespace {

const char* kFolder = "tests/data/models/stories260K/";

std::string model_of(const std::string& weights) {
  std::string folder = testing::repository_path(kFolder);
  return weights == "f32" ? folder + "hf" : weights == "bf16" ? folder + "hf_bf16" : folder + "gguf/stories260K-q8_0.gguf";
}

class StoriesTest : public ::testing::TestWithParam<std::string> {};

TEST_P(StoriesTest, GreedyTokensAndLogits) {
  std::unique_ptr<Model> model = testing::value_of(Model::load(model_of(GetParam())));
  ThreadPool pool(1);  // the model is too small to be worth two
  size_t n_rows = 0;
  for (const std::string& line :
       testing::read_test_lines(testing::repository_path(std::string(kFolder) + "reference_logits.jsonl.gz"))) {
    Json row = testing::value_of(parse_json(line, "reference_logits"));
    if (row["weights"] != GetParam()) continue;
    n_rows++;
    auto prompt = row["prompt_ids"].get<std::vector<TokenId>>();
    auto expected = row["greedy_ids"].get<std::vector<TokenId>>();
    for (Isa isa : testing::isas_for_generation()) {
      Context context{&pool, isa};
      Generator generator(*model, context, {.context_tokens = 512}, 512);
      GenerateRequest request;
      request.prompt = prompt;
      request.sampling.temperature = 0;
      request.sampling.n_logprobs = 0;
      request.max_new_tokens = static_cast<int64_t>(expected.size() - prompt.size());
      std::vector<TokenId> tokens = prompt;
      testing::value_of(generator.generate(request, [&](const GeneratedToken& token) {
        tokens.push_back(token.sampled.token);
        return Control::kContinue;
      }));
      EXPECT_EQ(tokens, expected) << isa_name(isa) << " " << row["prompt"].get<std::string>();
    }
    // Logits after the prompt: f32 against f64 over 5 layers of width 64 stays below 1e-4 of the row's norm.
    KvCache cache(model->config(), 512);
    SequenceCache place;
    Batch batch{
        prompt, {{&place, static_cast<int64_t>(prompt.size()), MlaForm::kNaive}}, {static_cast<int64_t>(prompt.size()) - 1}};
    std::vector<float> logits;
    testing::value_of(model->forward(logits, batch, cache, Context{&pool, best_isa()}));
    auto reference = row["last_logits"].get<std::vector<double>>();
    ASSERT_EQ(reference.size(), logits.size());
    double error = 0, norm = 0;
    for (size_t i = 0; i < logits.size(); i++) {
      error += (logits[i] - reference[i]) * (logits[i] - reference[i]);
      norm += reference[i] * reference[i];
    }
    EXPECT_LE(std::sqrt(error), 1e-4 * std::sqrt(norm)) << row["prompt"].get<std::string>();
  }
  EXPECT_EQ(n_rows, 15u);
}

INSTANTIATE_TEST_SUITE_P(Weights, StoriesTest, ::testing::Values("f32", "bf16", "q8_0"));

}  // namespace
}  // namespace minke
