// minke plan validate: what was published beside what the planner computes.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/language.h"
#include "cli/plan/plan.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "plan/query/validation.h"
#include "plan/request/write.h"

namespace minke::cli {
namespace {

struct ValidateFlags {
  PlanFlags common;
  std::string rows;
};

using plan::ValidationCheck;
using plan::ValidationRow;

const char* verdict(const ValidationRow& row, const ValidationCheck& check) {
  if (check.passes()) return tr("ok", "통과");
  return row.is_gate ? tr("FAILS", "실패") : tr("off", "벗어남");
}

Json row_json(const ValidationRow& row, bool explain) {
  Json out = {{"id", row.id},           {"title", row.title},     {"query", row.query},
              {"gate", row.is_gate},    {"passes", row.passes()}, {"source", plan::source_text(row.source)},
              {"checks", Json::array()}};
  for (const ValidationCheck& check : row.checks) {
    out["checks"].push_back({{"output", check.output},
                             {"unit", check.unit},
                             {"published", check.published},
                             {"computed", check.computed},
                             {"error", check.error()},
                             {"tolerance", check.tolerance},
                             {"passes", check.passes()}});
  }
  if (explain) out["working"] = plan::working_json(row.working);
  return out;
}

void print_rows(const std::vector<ValidationRow>& rows) {
  std::vector<std::vector<std::string>> cells;
  for (const ValidationRow& row : rows) {
    for (const ValidationCheck& check : row.checks) {
      std::string unit = check.unit.empty() ? "" : " " + check.unit;
      cells.push_back({row.id, row.title, check.output, fmt::format("{:.5g}{}", check.published, unit),
                       fmt::format("{:.5g}", check.computed), fmt::format("{:+.2f} %", 100 * check.error()),
                       fmt::format("{:.3g} %", 100 * check.tolerance), verdict(row, check)});
    }
  }
  int width = ::isatty(STDOUT_FILENO) != 0 ? terminal_width() : 0;
  fmt::print("{}", table_text({{"ID"},
                               {tr("WHAT", "내용"), false, true},
                               {tr("OUTPUT", "출력"), false, false, 2},
                               {tr("PUBLISHED", "발표값"), true},
                               {tr("COMPUTED", "계산값"), true},
                               {tr("OFF BY", "차이"), true},
                               {tr("ALLOWED", "허용"), true, false, 1},
                               {""}},
                              std::move(cells), width));
}

void print_sources(const std::vector<ValidationRow>& rows) {
  for (const ValidationRow& row : rows) {
    fmt::print("\n{} {}\n  {}\n", row.id, row.title, plan::source_text(row.source));
    for (const plan::Working::Input& input : row.working.inputs()) {
      fmt::print("  {} = {}: {}\n", input.name, input.value, input.source);
    }
  }
}

Result<int> run_validate(const ValidateFlags& flags) {
  plan::Tables tables = TRY(load_tables(flags.common));
  std::vector<ValidationRow> rows;
  if (flags.rows.empty()) {
    rows = TRY(plan::run_builtin_validation(tables));
  } else {
    rows = TRY(plan::run_validation_file(flags.rows, tables));
  }
  size_t n_gates = 0, n_passed = 0, n_off = 0;
  for (const ValidationRow& row : rows) {
    n_gates += row.is_gate;
    n_passed += row.is_gate && row.passes();
    n_off += !row.is_gate && !row.passes();
  }
  if (flags.common.json) {
    Json out = {{"gates", n_gates}, {"passed", n_passed}, {"rows", Json::array()}};
    for (const ValidationRow& row : rows) out["rows"].push_back(row_json(row, flags.common.explain));
    fmt::print("{}\n", dump_json(out, 2));
  } else {
    print_rows(rows);
    if (flags.common.explain) print_sources(rows);
    fmt::print(fmt::runtime(tr("\n{} of {} rows within their tolerance; {} other rows are shown only, {} of them off\n",
                               "\n{}/{}개 행이 허용 오차 안에 있습니다. 보여 주기만 하는 행 {}개 중 {}개가 벗어났습니다\n")),
               n_passed, n_gates, rows.size() - n_gates, n_off);
  }
  return n_passed == n_gates ? 0 : 1;
}

}  // namespace

void add_plan_validate(CLI::App& plan, Job& job) {
  auto flags = std::make_shared<ValidateFlags>();
  CLI::App* command =
      plan.add_subcommand("validate", tr("compare the planner with what was published", "발표된 값과 계산값을 비교합니다"));
  add_table_flags(*command, flags->common);
  add_explain_flag(*command, flags->common);
  command->add_option("--rows", flags->rows, tr("TOML file with your own rows", "직접 만든 행의 TOML 파일"))->type_name("FILE");
  command->footer(tr(
      "A row names a query, its inputs, the published value, a tolerance and a source; docs/plan.md shows one. The exit code\n"
      "is 1 when a row that is a gate is off.\nExample: minke plan validate",
      "행에는 질문, 입력, 발표값, 허용 오차, 출처가 있습니다. 예는 docs/plan.md에 있습니다. 기준 행이 하나라도 벗어나면 종료\n"
      "코드는 1입니다.\n예: minke plan validate"));
  command->callback([flags, &job] { job = [flags] { return run_validate(*flags); }; });
}

}  // namespace minke::cli
