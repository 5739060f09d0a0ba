// minke ledger: what each run and each programme cost.
#include "ledger/ledger.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "cli/command.h"
#include "cli/language.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "cli/training/figures_text.h"
#include "ledger/export.h"
#include "ledger/lineage.h"

namespace minke::cli {
namespace {

using ledger::Run;
using ledger::Runs;
using ledger::Sum;

struct LedgerFlags {
  std::string id;      // of show
  std::string wanted;  // of sum: a run or a programme
  bool json = false;
  bool csv = false;
};

// Columns of the terminal that stdout is; 0 for pipes and files, which have no width.
int output_width() { return ::isatty(STDOUT_FILENO) != 0 ? terminal_width() : 0; }

Result<Runs> all_runs() { return ledger::read_runs(TRY(ledger::default_path())); }

void say_empty() {
  auto path = ledger::default_path();
  fmt::print(stderr, "{}: {}\n", path ? *path : "",
             tr("no runs yet; every training run writes a row here when it starts",
                "아직 기록된 실행이 없습니다. 학습을 시작할 때마다 여기에 한 줄이 기록됩니다"));
}

// "2026-01-31 23:59" of 2026-01-31T23:59:59Z.
std::string minute_text(const std::string& time) {
  return time.size() < 16 ? time : time.substr(0, 10) + " " + time.substr(11, 5);
}

bool is_estimated(const Run& run) { return run.figures.energy_source == ledger::EnergySource::kEstimated; }

void explain_marks(bool has_estimate, bool has_unpriced) {
  if (has_estimate) {
    fmt::print("{}\n",
               tr("~ estimated from CPU time and watts, not measured", "~ 측정값이 아니라 CPU 시간과 전력으로 추정한 값"));
  }
  if (has_unpriced) {
    fmt::print("{}\n", tr("- no rate configured: see minke ledger --help", "- 설정된 요율이 없음: minke ledger --help 참고"));
  }
}

Result<int> list_runs(bool json) {
  Runs runs = TRY(all_runs());
  if (json) {
    Json out = Json::array();
    for (const Run& run : runs) out.push_back(run_json(run));
    fmt::print("{}\n", dump_json(out, 2));
    return 0;
  }
  if (runs.empty()) {
    say_empty();
    return 0;
  }
  std::vector<std::vector<std::string>> rows;
  bool has_estimate = false, has_unpriced = false;
  for (const Run& run : runs) {
    rows.push_back({std::to_string(run.id), minute_text(run.started_at), run.facts.kind, run.facts.name, run.facts.programme,
                    state_text(run.state), count_text(run.figures.tokens), seconds_text(run.figures.wall_s),
                    energy_text(run.figures.energy_j, is_estimated(run)), money_text(run)});
    has_estimate = has_estimate || is_estimated(run);
    has_unpriced = has_unpriced || !run.facts.rates.any();
  }
  fmt::print("{}", table_text({{"ID", true},
                               {tr("STARTED (UTC)", "시작 (UTC)"), false, false, 3},
                               {tr("KIND", "종류"), false, false, 4},
                               {tr("NAME", "이름"), false, true},
                               {tr("PROGRAMME", "프로그램"), false, true, 2},
                               {tr("STATE", "상태")},
                               {tr("TOKENS", "토큰"), true},
                               {tr("TIME", "시간"), true},
                               {tr("ENERGY", "에너지"), true, false, 1},
                               {tr("MONEY", "비용"), true}},
                              std::move(rows), output_width()));
  explain_marks(has_estimate, has_unpriced);
  return 0;
}

std::string chain_text(const Runs& chain) {
  std::vector<std::string> parts;
  for (const Run& run : chain) parts.push_back(fmt::format("{} ({})", run.id, run.facts.name));
  return fmt::format("{}", fmt::join(parts, " > "));
}

Result<const Run*> run_by_id(const Runs& runs, const std::string& text) {
  int64_t id = 0;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), id);
  bool is_number = failed == std::errc() && end == text.data() + text.size();
  const Run* run = is_number ? ledger::find_run(runs, id) : nullptr;
  if (run == nullptr) return error("\"{}\": no such run in the ledger; minke ledger lists them", text);
  return run;
}

Result<int> show_run(const LedgerFlags& flags) {
  Runs runs = TRY(all_runs());
  const Run* found = TRY(run_by_id(runs, flags.id));
  const Run& run = *found;
  Runs chain = chain_of(runs, run);
  if (flags.json) {
    Json out = run_json(run);
    out["chain"] = Json::array();
    for (const Run& link : chain) out["chain"].push_back(link.id);
    fmt::print("{}\n", dump_json(out, 2));
    return 0;
  }
  auto rate_text = [&](std::optional<double> rate, const char* unit) {
    return rate ? fmt::format("{} {} / {}", *rate, run.facts.rates.currency, unit) : std::string("-");
  };
  std::string state = state_text(run.state);
  if (!run.reason.empty()) state += ": " + run.reason;
  std::vector<std::pair<const char*, std::string>> lines = {
      {tr("run", "실행"), fmt::format("{} {} ({})", run.id, run.facts.name, run.facts.kind)},
      {tr("programme", "프로그램"), run.facts.programme},
      {tr("state", "상태"), state},
      {tr("started (UTC)", "시작 (UTC)"), run.started_at},
      {tr("ended (UTC)", "끝 (UTC)"), run.ended_at.empty() ? "-" : run.ended_at},
      {tr("last figures (UTC)", "마지막 기록 (UTC)"), run.updated_at},
      {tr("tokens", "토큰"), count_text(run.figures.tokens)},
      {tr("operations", "연산"), flops_text(run.figures.flops)},
      {tr("wall time", "경과 시간"), seconds_text(run.figures.wall_s)},
      {tr("CPU time", "CPU 시간"), seconds_text(run.figures.cpu_s)},
      {tr("energy", "에너지"),
       energy_text(run.figures.energy_j, is_estimated(run)) +
           (is_estimated(run) ? tr(" (estimated)", " (추정)") : tr(" (measured, whole package)", " (측정, 패키지 전체)"))},
      {tr("money", "비용"), run.facts.rates.any() ? money_text(run) : tr("no rate configured", "설정된 요율 없음")},
      {tr("rates", "요율"), rate_text(run.facts.rates.per_hour, "h") + ", " + rate_text(run.facts.rates.per_kwh, "kWh")},
      {tr("grew from", "계보"), chain_text(chain)},
      {tr("parent checkpoint", "부모 체크포인트"), run.facts.parent_checkpoint.empty() ? "-" : run.facts.parent_checkpoint},
      {tr("output", "출력"), run.facts.out},
      {tr("recipe hash", "레시피 해시"), run.facts.recipe_hash},
      {tr("commit", "커밋"), run.facts.commit},
      {tr("machine", "컴퓨터"),
       fmt::format("{}, {}, {} {}", run.facts.host, run.facts.cpu, run.facts.n_threads, tr("threads", "스레드"))},
      {tr("process", "프로세스"), std::to_string(run.pid)}};
  int widest = 0;
  for (const auto& [name, value] : lines) widest = std::max(widest, display_width(name));
  for (const auto& [name, value] : lines) {
    fmt::print("{}{:{}}  {}\n", name, "", widest - display_width(name), one_line(value));
  }
  return 0;
}

// The final run of a programme with its parents, and the whole programme.
struct ProgrammeSums {
  std::string programme;
  int64_t final_id = 0;
  ledger::RunState final_state = ledger::RunState::kFinished;
  Runs final_runs, whole_runs;
  Sum final, whole;
};

ProgrammeSums sums_of(const Runs& runs, const Run& final) {
  ProgrammeSums sums{
      final.facts.programme, final.id, final.state, chain_of(runs, final), programme_of(runs, final.facts.programme), {}, {}};
  sums.final = sum_of(sums.final_runs);
  sums.whole = sum_of(sums.whole_runs);
  return sums;
}

Json sums_json(const ProgrammeSums& sums) {
  Json out = {{"programme", sums.programme},
              {"final_run", sums.final_id},
              {"final_state", state_name(sums.final_state)},
              {"final", sum_json(sums.final)},
              {"whole", sum_json(sums.whole)}};
  for (auto [key, runs] : {std::pair("final", &sums.final_runs), std::pair("whole", &sums.whole_runs)}) {
    for (const Run& run : *runs) out[key]["runs"].push_back(run.id);
  }
  return out;
}

std::string states_text(const Sum& sum) {
  std::vector<std::string> parts;
  for (const auto& [state, n] : sum.n_runs) parts.push_back(fmt::format("{} {}", n, state_text(state)));
  return fmt::format("{}", fmt::join(parts, ", "));
}

void explain_sums(const std::vector<ProgrammeSums>& all) {
  bool has_estimate = false, has_unpriced = false;
  for (const ProgrammeSums& sums : all) {
    has_estimate = has_estimate || sums.whole.estimated_energy_j > 0;
    has_unpriced = has_unpriced || sums.whole.n_unpriced > 0;
    if (sums.whole.n_unpriced > 0 && !sums.whole.money.empty()) {
      fmt::print("{}: {} {}\n", sums.programme, sums.whole.n_unpriced,
                 tr("runs had no rate and are not in the money", "개의 실행에는 요율이 없어 비용에 들어 있지 않습니다"));
    }
  }
  explain_marks(has_estimate, has_unpriced);
}

void print_sums(const ProgrammeSums& sums) {
  std::vector<std::vector<std::string>> rows;
  auto row = [&](const char* name, auto text_of) { rows.push_back({name, text_of(sums.final), text_of(sums.whole)}); };
  row(tr("runs", "실행"), states_text);
  row(tr("tokens", "토큰"), [](const Sum& sum) { return count_text(sum.tokens); });
  row(tr("operations", "연산"), [](const Sum& sum) { return flops_text(sum.flops); });
  row(tr("wall time", "경과 시간"), [](const Sum& sum) { return seconds_text(sum.wall_s); });
  row(tr("CPU time", "CPU 시간"), [](const Sum& sum) { return seconds_text(sum.cpu_s); });
  row(tr("energy", "에너지"), [](const Sum& sum) { return energy_text(sum); });
  row(tr("money", "비용"), [](const Sum& sum) { return money_text(sum); });
  fmt::print("{}", table_text({{sums.programme, false, true},
                               {fmt::format("{} ({})", tr("FINAL RUN", "최종 실행"), sums.final_id), true, true},
                               {tr("WHOLE PROGRAMME", "프로그램 전체"), true, true}},
                              std::move(rows), output_width()));
  if (sums.final_state != ledger::RunState::kFinished) {
    fmt::print("{}: {}\n", tr("the final run has not finished", "최종 실행이 완료되지 않았습니다"),
               state_text(sums.final_state));
  }
  fmt::print("{}: {}\n", tr("the final run grew from", "최종 실행의 계보"), chain_text(sums.final_runs));
}

void print_programmes(const std::vector<ProgrammeSums>& all) {
  std::vector<std::vector<std::string>> rows;
  for (const ProgrammeSums& sums : all) {
    rows.push_back({sums.programme, states_text(sums.whole), seconds_text(sums.final.wall_s), seconds_text(sums.whole.wall_s),
                    energy_text(sums.final), energy_text(sums.whole), money_text(sums.final), money_text(sums.whole)});
  }
  const char* final = tr("FINAL", "최종");
  const char* whole = tr("WHOLE", "전체");
  fmt::print("{}", table_text({{tr("PROGRAMME", "프로그램"), false, true},
                               {tr("RUNS", "실행"), false, true, 1},
                               {fmt::format("{} {}", final, tr("TIME", "시간")), true},
                               {fmt::format("{} {}", whole, tr("TIME", "시간")), true},
                               {fmt::format("{} {}", final, tr("ENERGY", "에너지")), true, false, 2},
                               {fmt::format("{} {}", whole, tr("ENERGY", "에너지")), true, false, 2},
                               {fmt::format("{} {}", final, tr("MONEY", "비용")), true},
                               {fmt::format("{} {}", whole, tr("MONEY", "비용")), true}},
                              std::move(rows), output_width()));
}

Result<std::vector<ProgrammeSums>> wanted_sums(const Runs& runs, const std::string& wanted) {
  std::vector<ProgrammeSums> all;
  if (wanted.empty()) {
    for (const std::string& programme : ledger::programme_names(runs)) {
      all.push_back(sums_of(runs, *ledger::final_run(runs, programme)));
    }
    return all;
  }
  const Run* final = ledger::final_run(runs, wanted);
  if (final == nullptr) {
    auto run = run_by_id(runs, wanted);
    if (!run) return error("\"{}\": neither a programme nor a run in the ledger; minke ledger lists them", wanted);
    final = *run;
  }
  all.push_back(sums_of(runs, *final));
  return all;
}

Result<int> sum_runs(const LedgerFlags& flags) {
  Runs runs = TRY(all_runs());
  std::vector<ProgrammeSums> all = TRY(wanted_sums(runs, flags.wanted));
  if (flags.json) {
    Json out = Json::array();
    for (const ProgrammeSums& sums : all) out.push_back(sums_json(sums));
    fmt::print("{}\n", dump_json(flags.wanted.empty() ? out : out[0], 2));
    return 0;
  }
  if (all.empty()) {
    say_empty();
    return 0;
  }
  if (flags.wanted.empty())
    print_programmes(all);
  else
    print_sums(all[0]);
  explain_sums(all);
  return 0;
}

Result<int> export_runs(const LedgerFlags& flags) {
  if (flags.json) return list_runs(true);
  fmt::print("{}", runs_csv(TRY(all_runs())));
  return 0;
}

const char* ledger_footer() {
  return tr(
      "The ledger is $MINKE_HOME/ledger.sqlite, else $XDG_DATA_HOME/minke/ledger.sqlite, else\n"
      "~/.local/share/minke/ledger.sqlite. A run that was killed stands here with its last figures.\n"
      "Rates and watts come from ~/.config/minke/cost.json:\n"
      "  {\"money_per_hour\": 0.12, \"money_per_kwh\": 0.31, \"currency\": \"EUR\", \"watts\": 120}\n"
      "or MINKE_MONEY_PER_HOUR, MINKE_MONEY_PER_KWH, MINKE_CURRENCY, MINKE_WATTS. Without them no money is shown.\n"
      "Energy is measured (RAPL) where the kernel lets us read it, else watts x share of the CPU time, marked ~;\n"
      "watts is then 8 for each physical core unless it is set.\n"
      "Examples: minke ledger\n"
      "          minke ledger sum nano\n"
      "          minke ledger export --csv > runs.csv",
      "기록은 $MINKE_HOME/ledger.sqlite, 없으면 $XDG_DATA_HOME/minke/ledger.sqlite, 그것도 없으면\n"
      "~/.local/share/minke/ledger.sqlite 에 있습니다. 강제 종료된 실행도 마지막 수치와 함께 남습니다.\n"
      "요율과 전력은 ~/.config/minke/cost.json 에서 읽습니다:\n"
      "  {\"money_per_hour\": 150, \"money_per_kwh\": 160, \"currency\": \"KRW\", \"watts\": 120}\n"
      "또는 MINKE_MONEY_PER_HOUR, MINKE_MONEY_PER_KWH, MINKE_CURRENCY, MINKE_WATTS. 설정이 없으면 비용을 보이지 않습니다.\n"
      "에너지는 커널이 허용하면 측정(RAPL)하고, 아니면 전력 x CPU 시간 비율로 추정하여 ~ 로 표시합니다.\n"
      "전력을 정하지 않으면 물리 코어마다 8 W로 봅니다.\n"
      "예: minke ledger\n"
      "    minke ledger sum nano\n"
      "    minke ledger export --csv > runs.csv");
}

}  // namespace

void add_ledger(CLI::App& app, Job& job) {
  auto flags = std::make_shared<LedgerFlags>();
  const char* json_help = tr("print JSON", "JSON으로 출력합니다");
  CLI::App* command = app.add_subcommand(
      "ledger", tr("what training runs cost, failed ones included", "실패한 것까지, 학습 실행에 든 비용을 보입니다"));
  command->add_flag("--json", flags->json, json_help);
  command->require_subcommand(0, 1);
  command->footer(ledger_footer());
  command->callback([flags, &job] {
    if (!job) job = [flags] { return list_runs(flags->json); };
  });

  CLI::App* show = command->add_subcommand("show", tr("everything about one run", "실행 하나의 모든 것"));
  show->add_option("ID", flags->id, tr("number of the run", "실행 번호"))->required()->type_name("");
  show->add_flag("--json", flags->json, json_help);
  show->footer(tr("Example: minke ledger show 3", "예: minke ledger show 3"));
  show->callback([flags, &job] { job = [flags] { return show_run(*flags); }; });

  CLI::App* sum =
      command->add_subcommand("sum", tr("the final run beside the whole programme", "최종 실행과 프로그램 전체를 나란히"));
  sum->add_option("WHAT", flags->wanted,
                  tr("a programme, or the number of a run; all programmes when left out",
                     "프로그램 이름 또는 실행 번호. 생략하면 모든 프로그램"))
      ->type_name("");
  sum->add_flag("--json", flags->json, json_help);
  sum->footer(
      tr("The final run is the newest finished one of the programme, or the one that you name, with the runs whose checkpoints "
         "it\n"
         "grew from. The whole programme has failed, killed and abandoned runs in it, too.\n"
         "Example: minke ledger sum nano",
         "최종 실행은 프로그램에서 가장 최근에 완료된 실행(또는 지정한 실행)과 그 체크포인트의 조상들입니다.\n"
         "프로그램 전체에는 실패하거나 강제 종료되거나 버려진 실행도 들어갑니다.\n"
         "예: minke ledger sum nano"));
  sum->callback([flags, &job] { job = [flags] { return sum_runs(*flags); }; });

  CLI::App* exported = command->add_subcommand("export", tr("all rows as CSV or JSON", "모든 줄을 CSV나 JSON으로"));
  auto* csv = exported->add_flag("--csv", flags->csv, tr("print CSV (the default)", "CSV로 출력합니다 (기본값)"));
  exported->add_flag("--json", flags->json, json_help)->excludes(csv);
  exported->footer(
      tr("Example: minke ledger export --json | jq '.[].money'", "예: minke ledger export --json | jq '.[].money'"));
  exported->callback([flags, &job] { job = [flags] { return export_runs(*flags); }; });
  for (CLI::App* part : {show, sum, exported}) {
    part->group(tr("Commands", "명령"));
  }
}

}  // namespace minke::cli
