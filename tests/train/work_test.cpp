// Stages that train nothing: what a recipe may say of them, sections that stages share, and which answers become training data.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/support.h"
#include "train/recipe/recipe.h"
#include "train/rl/answer_selection.h"
#include "workshop.h"

namespace minke::testing {
namespace {

using recipe::Recipe;

constexpr const char* kPipeline = R"([cost]
money_per_hour = 0.0
currency = ""
watts = 0.0
[[stage]]
[stage.recipe]
name = "problems"
programme = "test"
kind = "problems"
out = "out/problems"
[stage.problems]
tasks = [{ task = "countdown:1-2", language = "both", weight = 3.0 }, { task = "ordering:4", language = "ko", weight = 1.0 }]
seed = 1
n_problems = 100
form = "messages"
[[stage]]
[stage.recipe]
name = "samples"
programme = "test"
kind = "samples"
out = "out/samples"
parent = "out/policy"
[stage.samples]
tasks = [{ task = "countdown", language = "en", weight = 1.0 }]
seed = 1
n_problems = 100
n_samples = 4
n_kept = 2
max_new_tokens = 80
temperature = 1.0
min_language = 0.9
[[stage]]
[stage.recipe]
name = "eval"
programme = "test"
kind = "eval"
out = "out/eval"
[stage.eval]
models = [{ name = "one", path = "out/policy" }]
tasks = [{ task = "countdown:1", language = "en" }]
seed = 1
n_problems = 100
max_new_tokens = 80
)";

Result<std::vector<Recipe>> parse(const std::string& text) { return recipe::parse_recipes(text, "x.toml", "/recipes"); }
Result<std::vector<Recipe>> parse_with(const std::string& from, const std::string& to) {
  return parse(replaced(kPipeline, from, to));
}

TEST(WorkStages, AreReadWithTheirTasksByDifficultyAndLanguage) {
  const std::vector<Recipe> stages = value_of(parse(kPipeline));
  ASSERT_EQ(stages.size(), 3u);
  const auto& problems = std::get<recipe::ProblemsPart>(stages[0].work);
  ASSERT_EQ(problems.tasks.size(), 5u);
  EXPECT_EQ(problems.tasks[1].task->name(), "countdown");
  EXPECT_EQ(problems.tasks[1].difficulty, 1);
  EXPECT_EQ(problems.tasks[1].tongue, Tongue::kKorean);
  EXPECT_DOUBLE_EQ(problems.tasks[1].weight, 0.75);
  EXPECT_DOUBLE_EQ(problems.tasks[4].weight, 1);
  EXPECT_EQ(problems.form, ProblemForm::kMessages);
  EXPECT_EQ(stages[1].parent, "/recipes/out/policy");
  EXPECT_EQ(std::get<recipe::EvalPart>(stages[2].work).models[0].path, "/recipes/out/policy");
  EXPECT_FALSE(recipe::trains(stages[0].kind));
}

TEST(WorkStages, ASharedSectionCountsAsIfItStoodInTheStage) {
  const std::vector<Recipe> shared = value_of(parse(kPipeline));
  std::string text = kPipeline;
  const std::string cost = text.substr(0, text.find("[[stage]]"));
  const std::string own = replaced(text, "[stage.problems]", "[stage.cost]\n" + cost.substr(7) + "[stage.problems]");
  EXPECT_EQ(value_of(parse(own))[0].hash, shared[0].hash);
  EXPECT_NE(value_of(parse(replaced(own, "watts = 0.0\n[stage.problems]", "watts = 9.0\n[stage.problems]")))[0].hash,
            shared[0].hash);
  EXPECT_ERROR(parse("[dataa]\nseed = 1\n" + text), "x.toml:1: dataa: unknown key");
  EXPECT_ERROR(parse("[eval]\nseed = 1\n" + text), "x.toml:1: eval: no stage takes it");
  EXPECT_ERROR(parse(text.substr(cost.size())), "cost: missing");
}

TEST(WorkStages, MistakesAreNamed) {
  EXPECT_ERROR(parse_with("countdown:1-2", "countup"),
               "x.toml:12: stage[0].problems.tasks[0].task: there is no task \"countup\"");
  EXPECT_ERROR(parse_with("ordering:4", "ordering:9"), "ordering:9: difficulty \"9\"; ordering has 1 to 4");
  EXPECT_ERROR(parse_with("language = \"both\"", "language = \"fr\""), "language: expected one of \"en\", \"ko\", \"both\"");
  EXPECT_ERROR(parse_with("parent = \"out/policy\"", "parent = \"\""), "parent: expected a checkpoint");
  EXPECT_ERROR(parse_with("out = \"out/problems\"", "out = \"out/problems\"\nseed = 1"),
               "seed: is not used with kind = \"problems\"");
  EXPECT_ERROR(parse_with("temperature = 1.0", "temperature = 0.0"), "samples.temperature: expected a number above 0");
  EXPECT_ERROR(parse_with("n_kept = 2", "n_kept = 5"), "samples.n_kept: expected a whole number from 1 to 4");
  EXPECT_ERROR(parse_with("language = \"en\" }]\nseed = 1\nn_problems = 100\nmax",
                          "language = \"en\", weight = 1.0 }]\nseed = 1\nn_problems = 100\nmax"),
               "weight: is not used with an evaluation");
  EXPECT_ERROR(parse_with("[stage.eval]", "[stage.model]\ndtype = \"f32\"\n[stage.eval]"), "model: unknown key");
  EXPECT_ERROR(parse_with("form = \"messages\"", "form = \"chat\""), "form: expected one of \"messages\", \"completion\"");
}

Rollout answered(const std::string& text, double accuracy, bool is_whole = true) {
  Rollout rollout;
  rollout.answer = {1, 2, 3};
  rollout.is_whole = is_whole;
  rollout.text = text;
  rollout.accuracy = accuracy;
  return rollout;
}

TEST(AnswerSelection, KeepsDifferentRightAnswersInTheLanguageOfTheQuestion) {
  std::vector<Problem> problems(2);
  problems[0].question = "Q1";
  problems[1].question = "문제";
  problems[1].tongue = Tongue::kKorean;
  const std::string right = "<think>one and two</think>Answer: 3";
  const std::vector<Rollout> rollouts = {
      answered(right, 1), answered(right, 1), answered("<think>two and one</think>Answer: 3", 1),
      answered("<think>no</think>Answer: 4", 0),
      // Korean asked for: English thought, no thought, cut, right.
      answered(right, 1), answered("답: 3", 1), answered("<think>하나와 둘</think>답: 3", 1, false),
      answered("<think>하나와 둘</think>답: 3", 1)};
  SelectionCounts counts;
  const std::string rows = selected_rows(problems, rollouts, {.n_kept = 2, .min_language = 0.9}, counts);
  EXPECT_EQ(rows,
            "{\"messages\":[{\"role\":\"user\",\"content\":\"Q1\"},{\"role\":\"assistant\",\"content\":\"Answer: 3\","
            "\"reasoning_content\":\"one and two\"}]}\n"
            "{\"messages\":[{\"role\":\"user\",\"content\":\"Q1\"},{\"role\":\"assistant\",\"content\":\"Answer: 3\","
            "\"reasoning_content\":\"two and one\"}]}\n"
            "{\"messages\":[{\"role\":\"user\",\"content\":\"문제\"},{\"role\":\"assistant\",\"content\":\"답: 3\","
            "\"reasoning_content\":\"하나와 둘\"}]}\n");
  EXPECT_EQ(counts.n_problems, 2);
  EXPECT_EQ(counts.n_solved, 2);
  EXPECT_EQ(counts.n_answers, 8);
  EXPECT_EQ(counts.n_right, 7);
  EXPECT_EQ(counts.n_kept, 3);
  EXPECT_EQ(counts.n_tokens, 24);
  SelectionCounts one;
  selected_rows(problems, rollouts, {.n_kept = 1, .min_language = 0.0}, one);
  EXPECT_EQ(one.n_kept, 2);
}

}  // namespace
}  // namespace minke::testing
