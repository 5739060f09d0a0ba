// The bundled model: its card says what it does on problems that nobody has seen, and it thinks in the language it is asked in.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "cli/run_minke.h"
#include "eval/eval_table.h"
#include "support/support.h"
#include "train/rl/rewards.h"

namespace minke::testing {
namespace {

const std::string& model() {
  static const std::string path = repository_path("models/nano");
  return path;
}

Json json_of(const MinkeRun& run) {
  EXPECT_EQ(run.exit_code, 0) << run.err;
  return value_of(parse_json(run.out, "stdout"));
}

TEST(NanoModel, ItsCardSaysWhatItDoes) {
  const EvalTable evals = value_of(read_eval_table(model() + "/eval.json"));
  for (const char* task : {"countdown:2", "arithmetic_addition:3"}) {
    const auto nano = std::find_if(evals.models.begin(), evals.models.end(), [](const auto& m) { return m.name == "nano"; });
    ASSERT_NE(nano, evals.models.end());
    const EvaluatedGroup* carded = nano->find(task);
    ASSERT_NE(carded, nullptr) << task;
    const int64_t n = 200;
    const Json report = json_of(
        run_minke({"eval", model(), task, "-n", std::to_string(n), "--seed", "31337", "--max-tokens", "448", "--json"}));
    const double fresh = report["models"][0]["summary"][0]["accuracy"], said = carded->summary.accuracy;
    const auto n_carded = static_cast<double>(carded->summary.n_problems), n_fresh = static_cast<double>(n);
    const double both = (fresh * n_fresh + said * n_carded) / (n_fresh + n_carded);
    // 3.3 standard errors of the difference of two shares: one false alarm in a thousand; at least one problem.
    EXPECT_NEAR(fresh, said, 3.3 * std::sqrt(both * (1 - both) * (1 / n_fresh + 1 / n_carded)) + 1 / n_fresh) << task;
  }
}

TEST(NanoModel, ThinksInTheLanguageOfTheQuestion) {
  const std::vector<std::pair<std::string, Script>> questions = {
      {"Use 3, 7, 2 to make 13. Each number at most once, with + - * / and parentheses. Reply as \"Answer: expression\".",
       Script::kLatin},
      {"3, 7, 2 가운데 각 수를 한 번까지만 써서 값이 13인 식을 쓰세요(+ - * / 와 괄호). \"답: 식\"으로 답하세요.",
       Script::kHangul}};
  for (const auto& [question, script] : questions) {
    const Json answer = json_of(run_minke({"run", model(), question, "--greedy", "--json"}));
    EXPECT_EQ(answer["finish_reason"], "stop");
    EXPECT_EQ(language_consistency(answer["thought"].get<std::string>(), script), 1) << answer["thought"];
    EXPECT_TRUE(answer["text"].get<std::string>().starts_with(script == Script::kHangul ? "답: " : "Answer: "))
        << answer["text"];
  }
}

}  // namespace
}  // namespace minke::testing
