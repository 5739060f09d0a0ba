// Rows through crashes and crowds: a finished row is never lost, a killed run is told from a living one.
#include "ledger/ledger.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <set>
#include <thread>

#include "base/file.h"
#include "ledger/lineage.h"
#include "support/support.h"

namespace minke::ledger {
namespace {

using testing::TemporaryDirectory;
using testing::value_of;
using Row = ledger::Run;  // Run alone is a member of gtest's Test

Result<sqlite::Database> open_raw(const std::string& path) { return sqlite::Database::open(path, {{"ledger", ""}, 1000}); }

RunFacts some_facts(const std::string& name = "nano") {
  RunFacts facts;
  facts.kind = "pretrain";
  facts.name = name;
  facts.programme = "whales";
  facts.host = "here";
  facts.cpu = "a CPU";
  facts.n_threads = 2;
  facts.commit = "abc";
  facts.recipe_hash = "0123";
  facts.out = "/out/" + name;
  facts.rates = {0.5, 0.25, "EUR"};
  return facts;
}

RunFigures some_figures(int64_t tokens) {
  return {tokens, 6e6 * static_cast<double>(tokens), 7200, 14000, 3.6e6, EnergySource::kEstimated};
}

// Runs `work` in a process of its own that never comes back from it.
pid_t in_child(const std::function<void()>& work) {
  pid_t child = ::fork();
  if (child == 0) {
    try {
      work();
    } catch (const std::exception& e) {
      ::fprintf(stderr, "%s\n", e.what());
      ::_exit(1);
    }
    ::_exit(0);
  }
  return child;
}

int exit_status(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

TEST(Ledger, ARowGoesThroughItsStates) {
  TemporaryDirectory folder;
  std::string path = folder.file("deep/er/ledger.sqlite");
  Ledger ledger = value_of(Ledger::open(path));
  int64_t id = value_of(ledger.start(some_facts("고래")));
  Row running = value_of(ledger.runs()).at(0);
  EXPECT_EQ(running.state, RunState::kRunning);
  EXPECT_EQ(running.facts.name, "고래");
  EXPECT_EQ(running.pid, ::getpid());
  EXPECT_EQ(running.ended_at, "");
  value_of(ledger.update(id, some_figures(100)));
  EXPECT_EQ(value_of(read_runs(path)).at(0).state, RunState::kRunning);  // seen by another connection, too
  value_of(ledger.close(id, RunState::kFailed, "the disk is full", some_figures(200)));
  Row run = value_of(read_runs(path)).at(0);
  EXPECT_EQ(run.state, RunState::kFailed);
  EXPECT_EQ(run.reason, "the disk is full");
  EXPECT_EQ(run.figures.tokens, 200);
  EXPECT_EQ(run.facts.rates.currency, "EUR");
  EXPECT_EQ(run.facts.parent, std::nullopt);
  EXPECT_EQ(run.started_at.size(), std::string("2026-01-31T23:59:59Z").size());
  EXPECT_FALSE(run.ended_at.empty());
  // 2 h at 0.5 an hour, 1 kWh at 0.25.
  EXPECT_DOUBLE_EQ(money_of(run.facts.rates, run.figures).value(), 1.25);
}

TEST(Ledger, ARowIsClosedOnce) {
  TemporaryDirectory folder;
  Ledger ledger = value_of(Ledger::open(folder.file("ledger.sqlite")));
  int64_t id = value_of(ledger.start(some_facts()));
  value_of(ledger.close(id, RunState::kFinished, "", some_figures(5)));
  EXPECT_ERROR(ledger.update(id, some_figures(6)), "is not open");
  EXPECT_ERROR(ledger.close(id, RunState::kFailed, "", some_figures(6)), "is not open");
  EXPECT_ERROR(ledger.update(77, some_figures(6)), "run 77 is not open");
  EXPECT_EQ(value_of(ledger.runs()).at(0).figures.tokens, 5);
}

TEST(Ledger, AMissingLedgerIsEmptyAndStaysMissing) {
  TemporaryDirectory folder;
  EXPECT_TRUE(value_of(read_runs(folder.file("none/ledger.sqlite"))).empty());
  EXPECT_FALSE(std::filesystem::exists(folder.file("none")));
}

TEST(Ledger, AKilledRunIsRecognisedWithItsLastFigures) {
  TemporaryDirectory folder;
  std::string path = folder.file("ledger.sqlite");
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  pid_t child = in_child([&] {
    Ledger ledger = value_of(Ledger::open(path));
    value_of(ledger.update(value_of(ledger.start(some_facts())), some_figures(41)));
    (void)!::write(ready[1], "x", 1);
    ::pause();
  });
  char byte;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_EQ(value_of(read_runs(path)).at(0).state, RunState::kRunning);
  ::kill(child, SIGKILL);
  exit_status(child);
  Row run = value_of(read_runs(path)).at(0);
  EXPECT_EQ(run.state, RunState::kKilled);
  EXPECT_EQ(run.figures.tokens, 41);
  EXPECT_EQ(run.ended_at, "");
}

TEST(Ledger, KillingAtAnyMomentLosesNoFinishedRow) {
  TemporaryDirectory folder;
  std::string path = folder.file("ledger.sqlite");
  value_of(Ledger::open(path));
  std::set<int64_t> finished;
  for (int round = 0; round < 20; round++) {
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    pid_t child = in_child([&] {
      Ledger ledger = value_of(Ledger::open(path));
      while (true) {
        int64_t id = value_of(ledger.start(some_facts()));
        value_of(ledger.update(id, some_figures(1)));
        value_of(ledger.close(id, RunState::kFinished, "", some_figures(1000 + id)));
        if (::write(pipe[1], &id, sizeof id) != sizeof id) ::_exit(1);
      }
    });
    ::close(pipe[1]);
    std::this_thread::sleep_for(std::chrono::milliseconds(3 + 7 * round % 40));
    ::kill(child, SIGKILL);
    int64_t id;
    while (::read(pipe[0], &id, sizeof id) == sizeof id) finished.insert(id);
    ::close(pipe[0]);
    exit_status(child);
  }
  ASSERT_FALSE(finished.empty());
  Runs runs = value_of(read_runs(path));
  for (int64_t id : finished) {
    const Row* run = find_run(runs, id);
    ASSERT_NE(run, nullptr) << id;
    EXPECT_EQ(run->state, RunState::kFinished) << id;
    EXPECT_EQ(run->figures.tokens, 1000 + id);
  }
  for (const Row& run : runs) EXPECT_NE(run.state, RunState::kRunning) << run.id;
  sqlite::Database db = value_of(open_raw(path));
  sqlite::Statement check = value_of(db.prepare("PRAGMA integrity_check"));
  ASSERT_TRUE(value_of(check.step()));
  EXPECT_EQ(check.text(0), "ok");
}

TEST(Ledger, ManyProcessesWriteAtOnce) {
  TemporaryDirectory folder;
  std::string path = folder.file("ledger.sqlite");  // does not exist: the first opens race, too
  constexpr int kProcesses = 4, kRunsEach = 10;
  std::vector<pid_t> children;
  for (int process = 0; process < kProcesses; process++) {
    children.push_back(in_child([&] {
      for (int i = 0; i < kRunsEach; i++) {
        Ledger ledger = value_of(Ledger::open(path));
        int64_t id = value_of(ledger.start(some_facts(fmt::format("{}/{}", process, i))));
        value_of(ledger.update(id, some_figures(i)));
        for (const Row& run : value_of(ledger.runs())) {
          if (run.state == RunState::kKilled) throw std::runtime_error("a living run was taken for killed");
        }
        value_of(ledger.close(id, RunState::kFinished, "", some_figures(100 * process + i)));
      }
    }));
  }
  for (pid_t child : children) EXPECT_EQ(exit_status(child), 0);
  std::set<std::string> names;
  for (const Row& run : value_of(read_runs(path))) {
    EXPECT_EQ(run.state, RunState::kFinished);
    EXPECT_EQ(run.facts.name, fmt::format("{}/{}", run.figures.tokens / 100, run.figures.tokens % 100));
    names.insert(run.facts.name);
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(kProcesses * kRunsEach));
}

TEST(Ledger, OtherFilesAreLeftAlone) {
  TemporaryDirectory folder;
  std::string text = folder.file("text");
  value_of(write_file(text, std::string(4096, 'x')));
  EXPECT_ERROR(Ledger::open(text), "expected an SQLite database");
  EXPECT_EQ(value_of(read_file(text, 1 << 20)), std::string(4096, 'x'));

  std::string other = folder.file("other.sqlite");
  value_of(value_of(open_raw(other)).execute("CREATE TABLE bookmarks (url TEXT)"));
  EXPECT_ERROR(Ledger::open(other), "database of another program");

  std::string newer = folder.file("newer.sqlite");
  value_of(Ledger::open(newer));
  value_of(value_of(open_raw(newer)).execute("PRAGMA user_version = 2"));
  EXPECT_ERROR(Ledger::open(newer), "expected schema version 1, got 2");
}

}  // namespace
}  // namespace minke::ledger
