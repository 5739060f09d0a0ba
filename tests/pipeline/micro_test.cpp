// The whole of recipes/micro.toml, from problems to a model with its card, as a user runs it: the reward rises, a broken reward
// does not pass for one, the card says what eval says. And a run of reinforcement learning that is killed again and again: the
// same bits as one that was not, and memory that does not grow.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "cli/run_minke.h"
#include "eval/eval_table.h"
#include "support/support.h"
#include "train/checkpoint/folders.h"
#include "train/report/run_log.h"

namespace minke::testing {
namespace {

namespace fs = std::filesystem;

// How much more of the sampled answers are right in the last five steps than in the first five.
constexpr double kRise = 0.2;

double mean_figure(const std::vector<StepRecord>& records, size_t first, size_t end, const std::string& name) {
  double sum = 0;
  for (size_t i = first; i < end; i++) {
    const auto& figures = records[i].figures;
    sum += std::find_if(figures.begin(), figures.end(), [&](const Figure& f) { return f.name == name; })->value;
  }
  return sum / static_cast<double>(end - first);
}

double mean_loss(const std::vector<StepRecord>& records, size_t first, size_t end) {
  double sum = 0;
  for (size_t i = first; i < end; i++) sum += records[i].cross_entropy;
  return sum / static_cast<double>(end - first);
}

// A folder with recipes/ and runs/, made once for all tests of this file: they build on the same stages.
class Micro : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryDirectory();
    fs::copy(repository_path("recipes"), folder_->file("recipes"), fs::copy_options::recursive);
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }

  static std::string file(const std::string& name) { return folder_->file(name); }
  static MinkeRun minke(const std::vector<std::string>& arguments, std::function<bool(pid_t)> watch = {}) {
    return run_minke(arguments, {"", {{"MINKE_HOME", file("home")}}, std::move(watch)});
  }
  static void expect_done(const std::vector<std::string>& arguments) {
    const MinkeRun run = minke(arguments);
    ASSERT_EQ(run.exit_code, 0) << run.err;
  }
  static std::vector<StepRecord> log_of(const std::string& stage) {
    return value_of(read_log(file("runs/" + stage + "/log.jsonl")));
  }
  static std::string weights_of(const std::string& stage) {
    return value_of(read_file(value_of(model_folder(file("runs/" + stage))) + "/model.safetensors", size_t{1} << 26));
  }

  // The stage "reason" of micro.toml by itself, with changes, as recipes/NAME.toml.
  static std::string variant(const std::string& name, const std::vector<std::pair<std::string, std::string>>& changes) {
    const std::string text = read_test_file(repository_path("recipes/micro.toml"));
    const size_t begin = text.find("[[stage]]\n  [stage.recipe]\n  name = \"reason\""), end = text.find("\n[[stage]]\n", begin);
    std::string shared = text.substr(0, text.find("\n[[stage]]\n") + 1);
    shared.erase(shared.find("[log]"));  // this stage has its own
    std::string stage = shared + text.substr(begin, end - begin);
    std::vector<std::pair<std::string, std::string>> all = changes;
    all.emplace_back("runs/micro/reason", "runs/micro/" + name);
    for (const auto& [from, to] : all) {
      const size_t at = stage.find(from);
      if (at == std::string::npos) throw std::runtime_error("no \"" + from + "\" in the stage");
      stage.replace(at, from.size(), to);
    }
    value_of(write_file(file("recipes/" + name + ".toml"), stage));
    return file("recipes/" + name + ".toml");
  }

 private:
  static TemporaryDirectory* folder_;
};
TemporaryDirectory* Micro::folder_ = nullptr;

TEST_F(Micro, TheWholePipelineMakesAModelWithItsCard) {
  expect_done({"recipe", "run", file("recipes/micro.toml")});
  const std::vector<StepRecord> reason = log_of("micro/reason");
  const size_t n = reason.size();
  EXPECT_GT(mean_figure(reason, n - 5, n, "accuracy"), mean_figure(reason, 0, 5, "accuracy") + kRise);
  EXPECT_GT(mean_figure(reason, n - 5, n, "reward"), mean_figure(reason, 0, 5, "reward") + kRise);

  const EvalTable evals = value_of(read_eval_table(file("runs/micro/eval/eval.json")));
  ASSERT_EQ(evals.models.size(), 5u);
  // The student comes nearer to its teacher, and can do some of what it can.
  const std::vector<StepRecord> student = log_of("micro/student");
  ASSERT_EQ(student.size(), 30u);
  EXPECT_LT(mean_loss(student, 20, 30), mean_loss(student, 0, 5));
  double solved = 0;
  for (const EvaluatedGroup& group : evals.models[4].groups) solved += group.summary.accuracy / 2;
  EXPECT_GT(solved, 0.1);

  const std::string model = file("runs/micro/report/model");
  const std::string card = value_of(read_file(model + "/README.md", 1 << 20));
  for (const char* part :
       {"# minke micro", "| reason | grpo |", "| student | distill |", "countdown:1", "curves-reason.svg", "**all**"}) {
    EXPECT_NE(card.find(part), std::string::npos) << part << "\n" << card;
  }
  for (const char* name : {"config.json", "tokenizer.json", "curves-reason.svg", "eval.json"})
    EXPECT_TRUE(fs::exists(model + "/" + name));

  // Fresh problems: the card's figure and the new one are of one model. 3.3 standard errors of the difference.
  for (const EvaluatedGroup& group : evals.models[3].groups) {
    const MinkeRun run =
        minke({"eval", model, group.summary.group, "-n", "400", "--seed", "12345", "--max-tokens", "80", "--json"});
    ASSERT_EQ(run.exit_code, 0) << run.err;
    const Json report = value_of(parse_json(run.out, "eval"));
    const double fresh = report["models"][0]["summary"][0]["accuracy"], carded = group.summary.accuracy;
    const double both = (fresh * 400 + carded * 200) / 600, error = std::sqrt(both * (1 - both) * (1.0 / 400 + 1.0 / 200));
    EXPECT_NEAR(fresh, carded, 3.3 * error + 1e-9) << group.summary.group;
  }
  // Again: everything is done.
  const auto before = fs::last_write_time(model + "/README.md");
  expect_done({"recipe", "run", file("recipes/micro.toml")});
  EXPECT_EQ(fs::last_write_time(model + "/README.md"), before);
}

// The same run with a reward for nothing but form: what rises then is not what is asked for, and the test above would see it.
TEST_F(Micro, ABrokenRewardDoesNotPass) {
  ASSERT_TRUE(fs::exists(file("runs/micro/cold_start/done.json"))) << "the pipeline did not get there";
  const std::string recipe = variant("broken", {{"{ part = \"accuracy\", weight = 1.0 }, ", ""},
                                                {"drop_uniform = true", "drop_uniform = false"},
                                                {"max_rounds = 2", "max_rounds = 1"}});
  expect_done({"recipe", "run", recipe});
  const std::vector<StepRecord> broken = log_of("micro/broken");
  const size_t n = broken.size();
  EXPECT_LT(mean_figure(broken, n - 5, n, "accuracy"), mean_figure(broken, 0, 5, "accuracy") + kRise);
}

int64_t resident_pages(pid_t process) {
  std::ifstream statm(fmt::format("/proc/{}/statm", process));
  int64_t n_virtual = 0, n_resident = 0;
  statm >> n_virtual >> n_resident;
  return n_resident;
}

int64_t n_lines(const std::string& path) {
  const Result<std::string> text = read_file(path, size_t{1} << 28);
  return text ? std::count(text->begin(), text->end(), '\n') : 0;
}

// MINKE_SOAK_STEPS: 300 for the whole soak, 24 if not said.
TEST_F(Micro, ARunThatIsKilledAgainAndAgainGoesOnToTheSameBitsInTheSameMemory) {
  ASSERT_TRUE(fs::exists(file("runs/micro/cold_start/done.json"))) << "the pipeline did not get there";
  const char* wanted = std::getenv("MINKE_SOAK_STEPS");
  const int64_t n_steps = wanted != nullptr ? std::stoll(wanted) : 24;
  const std::string steps = fmt::format("total_steps = {}", n_steps);
  const std::string whole =
      variant("soak", {{"total_steps = 24", steps}, {"validate_every_steps = 12", "validate_every_steps = 4"}});

  // Memory of the second and of the last third, each with validations: the first third warms up.
  std::vector<int64_t> pages(static_cast<size_t>(n_steps) + 1, 0);
  const MinkeRun run = minke({"recipe", "run", whole}, [&](pid_t process) {
    int64_t& most = pages[static_cast<size_t>(std::min(n_steps, n_lines(file("runs/micro/soak/log.jsonl"))))];
    most = std::max(most, resident_pages(process));
    return true;
  });
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const auto third = static_cast<std::ptrdiff_t>(n_steps / 3);
  const int64_t middle = *std::max_element(pages.begin() + third, pages.begin() + 2 * third);
  const int64_t last = *std::max_element(pages.begin() + 2 * third, pages.end());
  EXPECT_LT(static_cast<double>(last), 1.02 * static_cast<double>(middle)) << "pages";

  const std::string killed = variant("killed", {{"total_steps = 24", steps}, {"every_steps = 1000", "every_steps = 3"}});
  int64_t at = 0;
  for (int n_kills = 0; n_kills < 3; n_kills++) {
    at += std::max<int64_t>(1, n_steps / 4);
    const MinkeRun part =
        minke({"recipe", "run", killed}, [&](pid_t) { return n_lines(file("runs/micro/killed/log.jsonl")) < at; });
    ASSERT_EQ(part.exit_code, 128 + SIGKILL) << part.err;
  }
  expect_done({"recipe", "run", killed});
  EXPECT_TRUE(weights_of("micro/soak") == weights_of("micro/killed"));
  EXPECT_EQ(log_of("micro/killed").size(), static_cast<size_t>(n_steps));
}

}  // namespace
}  // namespace minke::testing
