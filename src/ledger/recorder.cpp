#include "ledger/recorder.h"

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "base/check.h"
#include "ledger/lineage.h"

namespace minke::ledger {
namespace {

constexpr auto kWriteInterval = std::chrono::seconds(5);

double seconds(const timeval& time) { return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec); }

// Of all threads of this process, and of its children that ended.
double cpu_seconds() {
  double sum = 0;
  for (int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    if (::getrusage(who, &usage) == 0) sum += seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  return sum;
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

// Symbolic links resolved, so that a folder is found again by whatever way it was named.
std::string absolute_path(const std::string& path) {
  std::error_code failed;
  auto absolute = std::filesystem::weakly_canonical(path, failed);
  return failed ? path : absolute.string();
}

}  // namespace

Recorder::Recorder(Ledger ledger, int64_t id, Rates rates, EnergyMeter meter)
    : ledger_(std::make_unique<Ledger>(std::move(ledger))),
      id_(id),
      rates_(std::move(rates)),
      meter_(std::move(meter)),
      start_(Clock::now()),
      last_write_(start_),
      start_cpu_s_(cpu_seconds()) {}

Result<Recorder> Recorder::start(const std::string& ledger_path, const RunRequest& request) {
  Ledger ledger = TRY(Ledger::open(ledger_path));
  CpuInfo cpu = detect_cpu();
  RunFacts facts;
  facts.kind = request.kind;
  facts.name = request.name;
  facts.programme = request.programme;
  facts.host = host_name();
  facts.cpu = cpu.brand;
  facts.n_threads = request.n_threads;
  facts.commit = request.commit;
  facts.recipe_hash = request.recipe_hash;
  facts.parent_checkpoint = request.parent_checkpoint.empty() ? "" : absolute_path(request.parent_checkpoint);
  facts.out = absolute_path(request.out);
  facts.rates = request.rates;
  Runs runs = TRY(ledger.runs());
  std::string grown_from = request.resumes ? facts.out : facts.parent_checkpoint;
  if (const Run* parent = grown_from.empty() ? nullptr : run_that_wrote(runs, grown_from)) facts.parent = parent->id;
  int64_t id = TRY(ledger.start(facts));
  double watts = request.watts > 0 ? request.watts : default_watts(cpu);
  return Recorder(std::move(ledger), id, request.rates, EnergyMeter::start(watts, cpu.n_logical_cpus));
}

Recorder::~Recorder() {
  if (ledger_ == nullptr) return;
  // Nobody is left to hear of an error here; the row then counts as killed.
  (void)close(RunState::kFailed, "ended without a result");
}

void Recorder::read_meters() {
  figures_.wall_s = std::chrono::duration<double>(Clock::now() - start_).count();
  figures_.cpu_s = cpu_seconds() - start_cpu_s_;
  Energy energy = meter_.read(figures_.cpu_s);
  figures_.energy_j = energy.joules;
  figures_.energy_source = energy.source;
}

Status Recorder::update(int64_t tokens, double flops) {
  CHECK(ledger_ != nullptr, "run {} is closed", id_);
  figures_.tokens = tokens;
  figures_.flops = flops;
  read_meters();
  if (Clock::now() - last_write_ < kWriteInterval) return {};
  last_write_ = Clock::now();
  return ledger_->update(id_, figures_);
}

Status Recorder::close(RunState state, std::string_view reason) {
  CHECK(ledger_ != nullptr, "run {} is closed", id_);
  read_meters();
  std::unique_ptr<Ledger> ledger = std::move(ledger_);
  return ledger->close(id_, state, reason, figures_);
}

}  // namespace minke::ledger
