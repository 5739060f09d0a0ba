// The row of the run that this process makes: opened at the start, written now and then, closed at the end. Wall time, CPU
// time and energy are read here; the loop says only how many tokens and operations it has done.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "ledger/energy.h"
#include "ledger/ledger.h"

namespace minke::ledger {

struct RunRequest {
  std::string kind;
  std::string name;
  std::string programme;
  std::string commit;
  std::string recipe_hash;
  std::string parent_checkpoint;  // empty: none
  std::string out;                // folder
  bool resumes = false;           // continues what an earlier run left in `out`: that run is the parent then
  int n_threads = 1;
  Rates rates;
  double watts = 0;  // 0: default_watts of this machine
};

class Recorder {
 public:
  // Finds the parent by its output folder and writes the row.
  static Result<Recorder> start(const std::string& ledger_path, const RunRequest& request);
  Recorder(Recorder&&) noexcept = default;
  Recorder& operator=(Recorder&&) = delete;
  // A recorder that was not closed (an error on the way out) closes its row as failed.
  ~Recorder();

  int64_t id() const { return id_; }
  // Of this process's run alone. Cheap to call at every step: the row is written at most once every few seconds.
  Status update(int64_t tokens, double flops);
  Status close(RunState state, std::string_view reason = "");
  // As of the last update(); with money_of(rates(), figures()) the cost so far.
  const RunFigures& figures() const { return figures_; }
  const Rates& rates() const { return rates_; }

 private:
  using Clock = std::chrono::steady_clock;
  Recorder(Ledger ledger, int64_t id, Rates rates, EnergyMeter meter);
  void read_meters();
  std::unique_ptr<Ledger> ledger_;  // null once closed or moved from
  int64_t id_;
  Rates rates_;
  EnergyMeter meter_;
  RunFigures figures_;
  Clock::time_point start_, last_write_;
  double start_cpu_s_;
};

}  // namespace minke::ledger
