// The ledger, training runs and their logs, the machine.
#include <filesystem>
#include <fstream>

#include "ledger/ledger.h"
#include "page/figures/run_rows.h"
#include "page_support.h"

namespace minke::page {
namespace {

class Figures : public PageTest {
 protected:
  // A run with a log of n steps, and a last line that is not whole.
  int64_t add_run(ledger::Ledger& ledger, const std::string& kind, const std::string& name, int64_t n_steps,
                  std::optional<int64_t> parent) {
    ledger::RunFacts facts;
    facts.kind = kind;
    facts.name = name;
    facts.programme = "nano";
    facts.out = home() + "/" + name;
    facts.parent = parent;
    const int64_t id = testing::value_of(ledger.start(facts));
    std::filesystem::create_directories(facts.out);
    std::ofstream log(log_of(name));
    for (int64_t step = 1; step <= n_steps; step++) log << row(step) << "\n";
    log << R"({"step":9999,"lo)";
    ledger::RunFigures figures;
    figures.wall_s = 10;
    figures.energy_j = 100;
    testing::value_of(ledger.close(id, ledger::RunState::kFinished, "", figures));
    return id;
  }
  std::string log_of(const std::string& name) const { return home() + "/" + name + "/log.jsonl"; }
  static std::string row(int64_t step) {
    return fmt::format(R"({{"step":{},"position":{},"total":5000,"loss":{},"figures":{{"reward":0.5}}}})", step, step * 2,
                       1.0 / static_cast<double>(step));
  }
};

TEST_F(Figures, RunsHaveTheirProgressAndTheLedgerBothSums) {
  EXPECT_EQ(*services_->ledger(), R"({"programmes":[],"runs":[]})");
  EXPECT_EQ(*services_->runs(), R"({"runs":[]})");
  auto ledger = testing::value_of(ledger::Ledger::open(places().ledger));
  add_run(ledger, "pretrain", "lost", 3, std::nullopt);
  const int64_t pretrain = add_run(ledger, "pretrain", "base", 40, std::nullopt);
  add_run(ledger, "eval", "marks", 0, pretrain);
  const int64_t sft = add_run(ledger, "sft", "chat", 7, pretrain);
  const Json runs = value_of(services_->runs())["runs"];
  ASSERT_EQ(runs.size(), 3u);
  EXPECT_EQ(runs[0]["id"], sft);
  EXPECT_EQ(runs[0]["step"], 7);
  EXPECT_EQ(runs[0]["total"], 5000);
  const Json all = value_of(services_->ledger());
  EXPECT_EQ(differences(all, "Ledger"), "");
  ASSERT_EQ(all["runs"].size(), 4u);
  ASSERT_EQ(all["programmes"].size(), 1u);
  const Json& programme = all["programmes"][0];
  EXPECT_EQ(programme["name"], "nano");
  EXPECT_EQ(programme["n_runs"], 4);
  EXPECT_EQ(programme["energy_j"], 400.0);
  EXPECT_EQ(programme["final"]["n_runs"], 2);
  EXPECT_EQ(programme["final"]["energy_j"], 200.0);
  for (const std::string& field : fields_of_type("CostSum")) {
    EXPECT_TRUE(field.ends_with('?') || programme.contains(field)) << field;
  }
  for (std::string field : fields_of_type("Run")) {
    if (field.ends_with('?')) field.pop_back();
    EXPECT_TRUE(runs[0].contains(field)) << field;
  }
}

TEST_F(Figures, LogsAreReadFromTheStepThatWasAskedFor) {
  auto ledger = testing::value_of(ledger::Ledger::open(places().ledger));
  const std::string id = std::to_string(add_run(ledger, "sft", "chat", 5000, std::nullopt));
  for (const int64_t after : {-1, 0, 1, 2, 1234, 2500, 4998, 4999, 5000, 90'000}) {
    const Json rows = value_of(services_->run_log(id, after))["rows"];
    const int64_t first = std::max<int64_t>(after, 0) + 1;
    ASSERT_EQ(rows.size(), static_cast<size_t>(std::max<int64_t>(0, 5001 - first))) << after;
    if (!rows.empty()) {
      EXPECT_EQ(dump_json(rows.front()), row(first));
      EXPECT_EQ(dump_json(rows.back()), row(5000));
    }
  }
  EXPECT_EQ(error_of(services_->run_log("77", 0)), "404 ");
  EXPECT_EQ(error_of(services_->run_log("../x", 0)), "404 ");
  std::filesystem::remove(log_of("chat"));
  EXPECT_EQ(*services_->run_log(id, 0), R"({"rows":[]})");
}

TEST_F(Figures, LinesThatAreNoRowsAreLeftOut) {
  std::filesystem::create_directories(home());
  const std::string path = home() + "/log.jsonl";
  std::ofstream(path) << "\n" << row(1) << "\nnonsense\n[1]\n{\"loss\":1}\n" << row(2) << "\n";
  EXPECT_EQ(testing::value_of(rows_after(path, 0)), "[" + row(1) + "," + row(2) + "]");
  EXPECT_EQ((*last_row(path))["step"], 2);
  std::ofstream(path) << "{";
  EXPECT_FALSE(last_row(path).has_value());
  // Lines longer than the piece that is scanned: rows with samples in them.
  std::ofstream wide(path);
  const std::string samples(100'000, 's');
  for (int step = 1; step <= 30; step++) wide << R"({"step":)" << step << R"(,"samples":")" << samples << "\"}\n";
  wide.close();
  EXPECT_EQ((*last_row(path))["step"], 30);
  for (const int64_t after : {0, 1, 15, 29}) {
    EXPECT_EQ(Json::parse(testing::value_of(rows_after(path, after))).size(), static_cast<size_t>(30 - after));
  }
}

TEST_F(Figures, TheMachineIsThisOne) {
  const Json machine = value_of(services_->machine());
  EXPECT_GE(machine["n_cores"], 1);
  EXPECT_GT(machine["memory_bytes"], 0);
  EXPECT_LE(machine["memory_used"], machine["memory_bytes"]);
  EXPECT_EQ(machine["active_requests"], 0);
  EXPECT_FALSE(machine.contains("read_gb_s"));
  services_.reset();
  ServicesOptions options;
  options.places = places();
  options.live = [] { return LiveFigures{12.5, 3, 40.0}; };
  options.plan = [](const std::string& question) { return Outcome<std::string>("{\"asked\":" + question + "}"); };
  services_ = make_services(std::move(options));
  const Json live = value_of(services_->machine());
  EXPECT_EQ(live["tokens_per_s_now"], 12.5);
  EXPECT_EQ(live["active_requests"], 3);
  EXPECT_EQ(differences(live, "Machine"), "");
  EXPECT_EQ(*services_->plan("{}"), R"({"asked":{}})");
}

TEST_F(Figures, WithoutAPlannerItSaysSo) { EXPECT_EQ(error_of(services_->plan("{}")), "501 "); }

}  // namespace
}  // namespace minke::page
