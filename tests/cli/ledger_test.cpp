// minke ledger, on rows made here; and the observer of a run, which makes rows, logs and curves.
#include "ledger/ledger.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/file.h"
#include "cli/run_minke.h"
#include "cli/table.h"
#include "cli/training/observer.h"
#include "support/support.h"
#include "train/recipe/stage.h"

namespace minke::testing {
namespace {

using ledger::RunState;

class LedgerCommand : public ::testing::Test {
 protected:
  std::string path() const { return home_.file("ledger.sqlite"); }
  int64_t add(const std::string& name, RunState state, int64_t tokens, std::optional<int64_t> parent = {},
              ledger::Rates rates = {}) {
    ledger::RunFacts facts;
    facts.kind = "pretrain";
    facts.name = name;
    facts.programme = "고래";
    facts.parent = parent;
    facts.rates = std::move(rates);
    ledger::Ledger ledger = value_of(ledger::Ledger::open(path()));
    int64_t id = value_of(ledger.start(facts));
    ledger::RunFigures figures{tokens, 1e12, 3600, 7000, 36000, ledger::EnergySource::kEstimated};
    if (state == RunState::kKilled)
      value_of(ledger.update(id, figures));
    else
      value_of(ledger.close(id, state, state == RunState::kFailed ? "the disk is full" : "", figures));
    return id;
  }
  MinkeRun run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "ledger");
    return run_minke(arguments, {"", {{"MINKE_HOME", home_.path().string()}}});
  }
  TemporaryDirectory home_;
};

TEST_F(LedgerCommand, AnEmptyLedgerSaysSoAndMakesNoFile) {
  MinkeRun list = run({});
  EXPECT_EQ(list.exit_code, 0) << list.err;
  EXPECT_EQ(list.out, "");
  EXPECT_TRUE(contains(list.err, "no runs yet")) << list.err;
  EXPECT_EQ(run({"--json"}).out, "[]\n");
  EXPECT_EQ(run({"sum", "--json"}).out, "[]\n");
  EXPECT_EQ(run({"sum"}).exit_code, 0);
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(LedgerCommand, ListsAndShows) {
  add("tiny", RunState::kFailed, 1000);
  int64_t killed = add("tiny", RunState::kKilled, 2000, {}, {0.5, {}, "EUR"});
  MinkeRun list = run({});
  ASSERT_EQ(list.exit_code, 0) << list.err;
  EXPECT_TRUE(contains(list.out, "~10.0 Wh")) << list.out;
  EXPECT_TRUE(contains(list.out, "killed")) << list.out;
  EXPECT_TRUE(contains(list.out, "0.5000 EUR")) << list.out;
  EXPECT_TRUE(contains(list.out, "no rate configured")) << list.out;
  EXPECT_TRUE(contains(run({"--lang", "ko"}).out, "강제 종료"));
  Json rows = Json::parse(run({"--json"}).out);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["state"], "failed");
  EXPECT_TRUE(rows[0]["money"].is_null());
  EXPECT_EQ(rows[1]["state"], "killed");
  MinkeRun show = run({"show", "1"});
  EXPECT_TRUE(contains(show.out, "failed: the disk is full")) << show.out;
  EXPECT_EQ(Json::parse(run({"show", std::to_string(killed), "--json"}).out)["tokens"], 2000);
  MinkeRun missing = run({"show", "9"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_TRUE(contains(missing.err, "\"9\": no such run")) << missing.err;
}

TEST_F(LedgerCommand, SumsTheFinalRunBesideTheProgramme) {
  add("base", RunState::kFailed, 1000);
  int64_t base = add("base", RunState::kKilled, 2000);
  add("base", RunState::kFinished, 4000, base);
  MinkeRun sum = run({"sum", "고래"});
  ASSERT_EQ(sum.exit_code, 0) << sum.err;
  EXPECT_TRUE(contains(sum.out, "FINAL RUN (3)")) << sum.out;
  EXPECT_TRUE(contains(sum.out, "2 (base) > 3 (base)")) << sum.out;
  Json json = Json::parse(run({"sum", "고래", "--json"}).out);
  EXPECT_EQ(json["final"]["tokens"], 6000);
  EXPECT_EQ(json["whole"]["tokens"], 7000);
  EXPECT_EQ(json["whole"]["n_by_state"]["failed"], 1);
  EXPECT_EQ(Json::parse(run({"sum", "1", "--json"}).out)["final"]["tokens"], 1000);
  EXPECT_EQ(Json::parse(run({"sum", "--json"}).out).size(), 1u);
  EXPECT_TRUE(contains(run({"sum", "nothing"}).err, "neither a programme nor a run"));
}

TEST_F(LedgerCommand, Exports) {
  add("a,b", RunState::kFinished, 1000);
  std::string csv = run({"export", "--csv"}).out;
  EXPECT_TRUE(csv.starts_with("id,kind,name,")) << csv;
  EXPECT_TRUE(contains(csv, "\r\n1,pretrain,\"a,b\",고래,finished,")) << csv;
  EXPECT_EQ(run({"export"}).out, csv);
  EXPECT_EQ(Json::parse(run({"export", "--json"}).out), Json::parse(run({"--json"}).out));
  EXPECT_EQ(run({"export", "--json", "--csv"}).exit_code, 2);
}

TEST_F(LedgerCommand, AStrangeFileIsAnError) {
  value_of(write_file(path(), std::string(2048, '?')));
  MinkeRun list = run({});
  EXPECT_EQ(list.exit_code, 1);
  EXPECT_TRUE(contains(list.err, "not a ledger")) << list.err;
}

TEST(Table, ColumnsLineUpAndFit) {
  EXPECT_EQ(cli::display_width("고래 a"), 6);
  EXPECT_EQ(cli::cut_to_width("고래와 함께", 6), "고래…");
  EXPECT_EQ(cli::cut_to_width("고래와 함께", 5), "고래…");
  EXPECT_EQ(cli::table_text({{"A"}, {"N", true}}, {{"고래", "1"}, {"whale", "22"}}, 0), "A       N\n고래    1\nwhale  22\n");
  EXPECT_EQ(cli::table_text({{"A"}}, {{"x\ny\x1b[2J"}}, 0), "A\nx y [2J\n");
  const std::vector<cli::Column> columns = {{"ID"}, {"NAME", false, true}, {"EXTRA", false, false, 1}};
  const std::vector<std::vector<std::string>> rows = {{"1", "a name that is very long", "12345"}};
  EXPECT_EQ(cli::table_text(columns, rows, 24), "ID  NAME           EXTRA\n1   a name that …  12345\n");
  EXPECT_EQ(cli::table_text(columns, rows, 18), "ID  NAME\n1   a name that i…\n");
}

// The whole way of a run: two steps, a crash, a resumed run that finishes.
TEST(TrainingObserver, WritesLedgerLogEventsAndCurves) {
  TemporaryDirectory home;
  ::setenv("MINKE_HOME", home.path().c_str(), 1);
  ::setenv("XDG_CONFIG_HOME", home.path().c_str(), 1);
  std::string text = read_test_file(repository_path("recipes/tiny-test.toml"));
  recipe::Recipe recipe = value_of(recipe::parse_recipes(text, "tiny", home.path().string())).at(0);
  value_of(recipe::begin_stage(recipe));
  auto step = [](int64_t n) {
    StepRecord record;
    record.step = n;
    record.tokens = 128 * n;
    record.position = record.tokens;
    record.total = 8192;
    record.flops = 1e6 * static_cast<double>(n);
    record.cross_entropy = record.loss = 4;
    return record;
  };
  {
    auto observer = value_of(cli::TrainingObserver::start(recipe, {}));
    for (int64_t n = 1; n <= 3; n++) value_of(observer->on_step(step(n)));
  }
  auto observer = value_of(cli::TrainingObserver::start(recipe, {.step = 2, .tokens = 256, .flops = 2e6}));
  StepRecord last = step(3);
  last.samples = {{"Once", " upon"}};
  value_of(observer->on_step(last));
  value_of(observer->finish(RunState::kFinished));
  auto runs = value_of(ledger::read_runs(home.file("ledger.sqlite")));
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].state, RunState::kFailed);
  EXPECT_EQ(runs[0].figures.tokens, 384);
  EXPECT_EQ(runs[1].state, RunState::kFinished);
  EXPECT_EQ(runs[1].figures.tokens, 128);
  EXPECT_EQ(runs[1].figures.flops, 1e6);
  EXPECT_EQ(runs[1].facts.parent, runs[0].id);
  EXPECT_EQ(runs[1].facts.recipe_hash, recipe.hash);
  std::vector<StepRecord> log = value_of(read_log(recipe.out + "/log.jsonl"));
  ASSERT_EQ(log.size(), 3u);
  EXPECT_EQ(log[2].step, 3);
  EXPECT_TRUE(std::filesystem::exists(recipe.out + "/curves.svg"));
  ::unsetenv("MINKE_HOME");
  ::unsetenv("XDG_CONFIG_HOME");
}

}  // namespace
}  // namespace minke::testing
