// Who led to whom, and the sums that are made of it.
#include "ledger/lineage.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "ledger/export.h"

namespace minke::ledger {
namespace {

Run row(int64_t id, const std::string& programme, RunState state, std::optional<int64_t> parent, int64_t tokens) {
  Run run;
  run.id = id;
  run.facts.programme = programme;
  run.facts.out = "/runs/" + std::to_string(id);
  run.facts.parent = parent;
  run.facts.rates = {1, {}, "EUR"};
  run.state = state;
  run.figures.tokens = tokens;
  run.figures.wall_s = 3600;
  run.figures.energy_j = 1000;
  return run;
}

// base: 1 failed, 2 killed, 3 resumes 2 and finishes. chat: 4 finetunes 3 and fails, 5 finetunes 3 and finishes, 6 runs.
Runs history() {
  Runs runs = {row(1, "base", RunState::kFailed, {}, 1),      row(2, "base", RunState::kKilled, {}, 10),
               row(3, "base", RunState::kFinished, 2, 100),   row(4, "chat", RunState::kFailed, 3, 1000),
               row(5, "chat", RunState::kFinished, 3, 10000), row(6, "chat", RunState::kRunning, 3, 100000)};
  runs[3].facts.rates = {};
  runs[4].facts.rates.currency = "KRW";
  runs[5].figures.energy_source = EnergySource::kMeasured;
  return runs;
}

std::vector<int64_t> ids(const Runs& runs) {
  std::vector<int64_t> out;
  for (const Run& run : runs) out.push_back(run.id);
  return out;
}

TEST(Lineage, ChainsAndProgrammes) {
  Runs runs = history();
  EXPECT_EQ(ids(chain_of(runs, runs[4])), (std::vector<int64_t>{2, 3, 5}));
  EXPECT_EQ(ids(programme_of(runs, "base")), (std::vector<int64_t>{1, 2, 3}));
  // What chat grew from counts, what base tried besides does not.
  EXPECT_EQ(ids(programme_of(runs, "chat")), (std::vector<int64_t>{2, 3, 4, 5, 6}));
  EXPECT_TRUE(programme_of(runs, "none").empty());
  EXPECT_EQ(final_run(runs, "chat")->id, 5);  // 6 is newer and not finished
  EXPECT_EQ(final_run(runs, "base")->id, 3);
  EXPECT_EQ(final_run(runs, "none"), nullptr);
  EXPECT_EQ(programme_names(runs), (std::vector<std::string>{"base", "chat"}));
}

TEST(Lineage, SumsOfTheFinalRunAndOfTheProgramme) {
  Runs runs = history();
  Sum final = sum_of(chain_of(runs, runs[4]));
  EXPECT_EQ(final.tokens, 10110);
  EXPECT_EQ(final.n_all(), 3);
  EXPECT_DOUBLE_EQ(final.money.at("EUR"), 2);
  EXPECT_DOUBLE_EQ(final.money.at("KRW"), 1);
  EXPECT_EQ(final.n_unpriced, 0);
  Sum whole = sum_of(programme_of(runs, "chat"));
  EXPECT_EQ(whole.tokens, 111110);
  EXPECT_EQ(whole.n_runs.at(RunState::kFailed), 1);
  EXPECT_EQ(whole.n_unpriced, 1);
  EXPECT_DOUBLE_EQ(whole.energy_j, 5000);
  EXPECT_DOUBLE_EQ(whole.estimated_energy_j, 4000);
}

TEST(Lineage, ACircleOrAMissingParentEndsTheChain) {
  Runs runs = {row(1, "p", RunState::kFinished, 2, 1), row(2, "p", RunState::kFinished, 1, 1),
               row(3, "p", RunState::kFinished, 99, 1)};
  EXPECT_EQ(ids(chain_of(runs, runs[0])), (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(ids(chain_of(runs, runs[2])), (std::vector<int64_t>{3}));
}

TEST(Lineage, ACheckpointBelongsToTheNewestRunOfItsFolder) {
  Runs runs = history();
  runs[2].facts.out = "/runs/base";
  runs[1].facts.out = "/runs/base/";
  EXPECT_EQ(run_that_wrote(runs, "/runs/base/step-100")->id, 3);
  EXPECT_EQ(run_that_wrote(runs, "/runs/base")->id, 3);
  EXPECT_EQ(run_that_wrote(runs, "/runs/./base/")->id, 3);
  EXPECT_EQ(run_that_wrote(runs, "/runs/base2"), nullptr);
  EXPECT_EQ(run_that_wrote(runs, "/runs"), nullptr);
}

TEST(Export, CsvQuotesWhatNeedsIt) {
  auto run = row(1, "a, \"b\"", RunState::kFailed, {}, 3);
  run.reason = "=HYPERLINK(1)";
  run.facts.name = "line\nbreak";
  std::string csv = runs_csv({run});
  EXPECT_TRUE(csv.starts_with("id,kind,name,programme,state,")) << csv;
  EXPECT_NE(csv.find("1,,\"line\nbreak\",\"a, \"\"b\"\"\",failed,'=HYPERLINK(1),"), std::string::npos) << csv;
  EXPECT_NE(csv.find(",1.0,EUR,1.0,,,"), std::string::npos) << csv;  // money, currency, rates, no parent
}

TEST(Export, JsonSaysWhatIsUnknown) {
  auto run = row(1, "p", RunState::kRunning, {}, 3);
  run.facts.rates = {};
  Json json = run_json(run);
  EXPECT_TRUE(json["money"].is_null());
  EXPECT_TRUE(json["parent"].is_null());
  EXPECT_TRUE(json["ended_at"].is_null());
  EXPECT_EQ(json["energy_source"], "estimated");
}

}  // namespace
}  // namespace minke::ledger
