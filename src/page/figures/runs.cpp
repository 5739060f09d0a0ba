#include "page/figures/runs.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "ledger/export.h"
#include "ledger/ledger.h"
#include "page/figures/run_rows.h"

namespace minke::page {
namespace {

using ledger::Run;
using ledger::Runs;

// The kinds of recipes that train; the others write no log.
constexpr std::array<std::string_view, 4> kTrainingKinds = {"pretrain", "sft", "grpo", "distill"};

std::string log_of(const Run& run) { return run.facts.out + "/log.jsonl"; }

Json programme_json(const Runs& runs, const std::string& name) {
  Json out = {{"name", name}};
  out.update(sum_json(sum_of(programme_of(runs, name))));
  const Run* last = final_run(runs, name);
  out["final"] = last != nullptr ? sum_json(sum_of(chain_of(runs, *last))) : Json(nullptr);
  return out;
}

Json run_with_progress(const Run& run) {
  Json out = run_json(run);
  const auto last = last_row(log_of(run));
  if (!last) return out;
  for (const char* key : {"step", "position", "total"}) {
    if (const auto found = last->find(key); found != last->end()) out[key] = *found;
  }
  return out;
}

}  // namespace

Outcome<std::string> ledger_text(const std::string& path) {
  const Result<Runs> runs = ledger::read_runs(path);
  if (!runs) return failure(runs.error());
  Json out = {{"programmes", Json::array()}, {"runs", Json::array()}};
  for (const std::string& name : programme_names(*runs)) out["programmes"].push_back(programme_json(*runs, name));
  for (const Run& run : *runs) out["runs"].push_back(run_json(run));
  return dump_json(out);
}

Outcome<std::string> runs_text(const std::string& path) {
  const Result<Runs> runs = ledger::read_runs(path);
  if (!runs) return failure(runs.error());
  Json list = Json::array();
  for (auto run = runs->rbegin(); run != runs->rend(); ++run) {
    if (std::ranges::count(kTrainingKinds, run->facts.kind) > 0) list.push_back(run_with_progress(*run));
  }
  return dump_json(Json{{"runs", std::move(list)}});
}

Outcome<std::string> run_log_text(const std::string& path, const std::string& id, int64_t after_step) {
  const Result<Runs> runs = ledger::read_runs(path);
  if (!runs) return failure(runs.error());
  int64_t number = 0;
  const auto [end, code] = std::from_chars(id.data(), id.data() + id.size(), number);
  const bool is_number = code == std::errc{} && end == id.data() + id.size();
  const Run* run = is_number ? find_run(*runs, number) : nullptr;
  if (run == nullptr) return refusal(ErrorKind::kNotFound, "there is no run with this number: GET /api/minke/runs lists them");
  const Result<std::string> rows = rows_after(log_of(*run), after_step);
  if (!rows) return failure(rows.error());
  return fmt::format("{{\"rows\":{}}}", *rows);
}

}  // namespace minke::page
