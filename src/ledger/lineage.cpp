#include "ledger/lineage.h"

#include <algorithm>
#include <filesystem>
#include <set>

namespace minke::ledger {
namespace {

namespace fs = std::filesystem;

// Without "." and "..", and with no slash at the end.
fs::path normal_path(const std::string& path) {
  fs::path normal = fs::path(path).lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

bool is_within(const fs::path& path, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

}  // namespace

const Run* find_run(const Runs& runs, int64_t id) {
  auto found = std::find_if(runs.begin(), runs.end(), [&](const Run& run) { return run.id == id; });
  return found == runs.end() ? nullptr : &*found;
}

Runs chain_of(const Runs& runs, const Run& run) {
  Runs chain;
  std::set<int64_t> seen;  // a table that someone edited may hold a circle
  for (const Run* next = &run; next != nullptr && seen.insert(next->id).second;) {
    chain.push_back(*next);
    next = next->facts.parent ? find_run(runs, *next->facts.parent) : nullptr;
  }
  std::reverse(chain.begin(), chain.end());
  return chain;
}

Runs programme_of(const Runs& runs, std::string_view programme) {
  std::map<int64_t, Run> members;
  for (const Run& run : runs) {
    if (run.facts.programme != programme) continue;
    for (Run& member : chain_of(runs, run)) members.emplace(member.id, member);
  }
  Runs out;
  for (auto& [id, run] : members) out.push_back(std::move(run));
  return out;
}

const Run* final_run(const Runs& runs, std::string_view programme) {
  const Run* newest = nullptr;
  const Run* newest_finished = nullptr;
  for (const Run& run : runs) {
    if (run.facts.programme != programme) continue;
    newest = &run;
    if (run.state == RunState::kFinished) newest_finished = &run;
  }
  return newest_finished != nullptr ? newest_finished : newest;
}

std::vector<std::string> programme_names(const Runs& runs) {
  std::vector<std::string> names;
  for (const Run& run : runs) {
    if (std::find(names.begin(), names.end(), run.facts.programme) == names.end()) names.push_back(run.facts.programme);
  }
  return names;
}

const Run* run_that_wrote(const Runs& runs, const std::string& path) {
  fs::path wanted = normal_path(path);
  const Run* found = nullptr;
  for (const Run& run : runs) {
    if (!run.facts.out.empty() && is_within(wanted, normal_path(run.facts.out))) found = &run;
  }
  return found;
}

int64_t Sum::n_all() const {
  int64_t n = 0;
  for (const auto& [state, count] : n_runs) n += count;
  return n;
}

Sum sum_of(const Runs& runs) {
  Sum sum;
  for (const Run& run : runs) {
    sum.n_runs[run.state]++;
    sum.tokens += run.figures.tokens;
    sum.flops += run.figures.flops;
    sum.wall_s += run.figures.wall_s;
    sum.cpu_s += run.figures.cpu_s;
    sum.energy_j += run.figures.energy_j;
    if (run.figures.energy_source == EnergySource::kEstimated) sum.estimated_energy_j += run.figures.energy_j;
    if (auto money = money_of(run.facts.rates, run.figures)) {
      sum.money[run.facts.rates.currency] += *money;
    } else {
      sum.n_unpriced++;
    }
  }
  return sum;
}

}  // namespace minke::ledger
