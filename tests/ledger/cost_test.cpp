// Energy, rates, and the recorder that puts both into a row.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "base/file.h"
#include "ledger/energy.h"
#include "ledger/recorder.h"
#include "ledger/settings.h"
#include "support/support.h"

namespace minke::ledger {
namespace {

using testing::TemporaryDirectory;
using testing::value_of;

class FakeRapl {
 public:
  void zone(const std::string& folder, const std::string& name, uint64_t uj, uint64_t range = 1'000'000'000) {
    auto path = root_.path() / "sys/class/powercap" / folder;
    std::filesystem::create_directories(path);
    std::ofstream(path / "name") << name << "\n";
    std::ofstream(path / "energy_uj") << uj << "\n";
    std::ofstream(path / "max_energy_range_uj") << range << "\n";
  }
  void remove(const std::string& folder) { std::filesystem::remove_all(root_.path() / "sys/class/powercap" / folder); }
  std::string root() const { return root_.path().string(); }

 private:
  TemporaryDirectory root_;
};

TEST(Energy, CountersOfPackagesAndMemoryAddUp) {
  FakeRapl rapl;
  rapl.zone("intel-rapl:0", "package-0", 500);
  rapl.zone("intel-rapl:0:0", "core", 100);  // inside the package
  rapl.zone("intel-rapl:0:1", "dram", 50);
  rapl.zone("intel-rapl:1", "psys", 0);              // holds the package
  rapl.zone("intel-rapl-mmio:0", "package-0", 500);  // the same once more
  EnergyMeter meter = EnergyMeter::start(100, 2, rapl.root());
  rapl.zone("intel-rapl:0", "package-0", 3'000'500);
  rapl.zone("intel-rapl:0:0", "core", 2'000'000);
  rapl.zone("intel-rapl:0:1", "dram", 1'000'050);
  rapl.zone("intel-rapl:1", "psys", 9'000'000);
  Energy energy = meter.read(1);
  EXPECT_EQ(energy.source, EnergySource::kMeasured);
  EXPECT_DOUBLE_EQ(energy.joules, 4);
}

TEST(Energy, ACounterThatRanOver) {
  FakeRapl rapl;
  rapl.zone("intel-rapl:0", "package-0", 9'000'000, 10'000'000);
  EnergyMeter meter = EnergyMeter::start(100, 2, rapl.root());
  rapl.zone("intel-rapl:0", "package-0", 2'000'000, 10'000'000);
  EXPECT_DOUBLE_EQ(meter.read(1).joules, 3);
  rapl.zone("intel-rapl:0", "package-0", 2'500'000, 10'000'000);
  EXPECT_DOUBLE_EQ(meter.read(1).joules, 3.5);
}

TEST(Energy, WithoutCountersItIsAnEstimate) {
  FakeRapl rapl;
  Energy energy = EnergyMeter::start(100, 4, rapl.root()).read(8);
  EXPECT_EQ(energy.source, EnergySource::kEstimated);
  EXPECT_DOUBLE_EQ(energy.joules, 200);  // 100 W x 8 s of one of 4 CPUs
  // Counters that vanish: not half measured, half estimated.
  rapl.zone("intel-rapl:0", "package-0", 0);
  EnergyMeter meter = EnergyMeter::start(100, 4, rapl.root());
  rapl.zone("intel-rapl:0", "package-0", 70'000'000);
  EXPECT_DOUBLE_EQ(meter.read(4).joules, 70);
  rapl.remove("intel-rapl:0");
  Energy later = meter.read(8);
  EXPECT_EQ(later.source, EnergySource::kEstimated);
  EXPECT_DOUBLE_EQ(later.joules, 200);
}

class Settings : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : kNames) ::unsetenv(name);
    ::setenv("XDG_CONFIG_HOME", folder_.path().c_str(), 1);
  }
  void TearDown() override {
    for (const char* name : kNames) ::unsetenv(name);
    ::unsetenv("XDG_CONFIG_HOME");
  }
  void file(const std::string& text) {
    std::filesystem::create_directories(folder_.path() / "minke");
    value_of(write_file(folder_.file("minke/cost.json"), text));
  }
  static constexpr const char* kNames[] = {"MINKE_MONEY_PER_HOUR", "MINKE_MONEY_PER_KWH", "MINKE_CURRENCY", "MINKE_WATTS"};
  TemporaryDirectory folder_;
};

TEST_F(Settings, NothingIsSetUntilSomeoneSetsIt) {
  CostSettings settings = value_of(read_cost_settings());
  EXPECT_FALSE(settings.rates.any());
  EXPECT_FALSE(settings.watts.has_value());
  EXPECT_EQ(money_of(settings.rates, {1, 1, 1, 1, 1, EnergySource::kEstimated}), std::nullopt);
}

TEST_F(Settings, TheEnvironmentGoesOverTheFile) {
  file(R"({"money_per_hour": 0.5, "money_per_kwh": 0.25, "currency": "EUR", "watts": 65})");
  ::setenv("MINKE_MONEY_PER_HOUR", "2", 1);
  CostSettings settings = value_of(read_cost_settings());
  EXPECT_EQ(settings.rates.per_hour, 2);
  EXPECT_EQ(settings.rates.per_kwh, 0.25);
  EXPECT_EQ(settings.rates.currency, "EUR");
  EXPECT_EQ(settings.watts, 65);
}

TEST_F(Settings, WhatIsWrongIsNamed) {
  ::setenv("MINKE_MONEY_PER_HOUR", "2", 1);
  EXPECT_ERROR(read_cost_settings(), "MINKE_CURRENCY");
  ::setenv("MINKE_MONEY_PER_HOUR", "2 EUR", 1);
  EXPECT_ERROR(read_cost_settings(), "MINKE_MONEY_PER_HOUR: expected a number, got \"2 EUR\"");
  ::setenv("MINKE_MONEY_PER_HOUR", "-1", 1);
  EXPECT_ERROR(read_cost_settings(), "from 0 up, got -1");
  file(R"({"money_per_hours": 0.5})");
  EXPECT_ERROR(read_cost_settings(), "money_per_hours: unknown key");
}

RunRequest request_in(const TemporaryDirectory& folder, const std::string& name) {
  RunRequest request;
  request.kind = "pretrain";
  request.name = name;
  request.programme = "whales";
  request.out = folder.file(name);
  return request;
}

TEST(Recorder, FindsParentsAndClosesWhatNobodyClosed) {
  TemporaryDirectory folder;
  std::string path = folder.file("ledger.sqlite");
  {
    Recorder first = value_of(Recorder::start(path, request_in(folder, "base")));
    value_of(first.update(10, 1e6));
  }  // an error on the way out
  RunRequest again = request_in(folder, "base");
  again.resumes = true;
  Recorder second = value_of(Recorder::start(path, again));
  value_of(second.update(20, 2e6));
  EXPECT_GE(second.figures().cpu_s, 0);
  value_of(second.close(RunState::kFinished));
  RunRequest tune = request_in(folder, "chat");
  tune.parent_checkpoint = folder.file("base/step-20");
  tune.rates = {3600, {}, "EUR"};
  Recorder third = value_of(Recorder::start(path, tune));
  value_of(third.close(RunState::kInterrupted));
  RunRequest unrelated = request_in(folder, "base");  // starts over in the same folder
  value_of(value_of(Recorder::start(path, unrelated)).close(RunState::kFinished));

  auto runs = value_of(read_runs(path));
  ASSERT_EQ(runs.size(), 4u);
  EXPECT_EQ(runs[0].state, RunState::kFailed);
  EXPECT_EQ(runs[0].figures.tokens, 10);
  EXPECT_EQ(runs[1].facts.parent, runs[0].id);
  EXPECT_EQ(runs[1].figures.tokens, 20);
  EXPECT_EQ(runs[2].facts.parent, runs[1].id);
  EXPECT_EQ(runs[2].state, RunState::kInterrupted);
  EXPECT_DOUBLE_EQ(money_of(runs[2].facts.rates, runs[2].figures).value(), runs[2].figures.wall_s);
  EXPECT_EQ(runs[3].facts.parent, std::nullopt);
}

}  // namespace
}  // namespace minke::ledger
