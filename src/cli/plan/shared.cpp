#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "cli/language.h"
#include "cli/plan/plan.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "plan/request/questions.h"
#include "synthetic/named_configs.h"

namespace minke::cli {
namespace {

int output_width() { return ::isatty(STDOUT_FILENO) != 0 ? terminal_width() : 0; }

}  // namespace

void add_table_flags(CLI::App& command, PlanFlags& flags) {
  command
      .add_option("--tables", flags.tables,
                  tr("TOML file with your own devices, prices, factors or models; may be repeated",
                     "직접 만든 장치, 가격, 계수, 모델의 TOML 파일; 여러 번 쓸 수 있음"))
      ->allow_extra_args(false)
      ->type_name("FILE");
  command.add_flag("--json", flags.json, tr("print JSON", "JSON으로 출력합니다"));
}

void add_explain_flag(CLI::App& command, PlanFlags& flags) {
  command.add_flag("--explain", flags.explain,
                   tr("show every input with its source and every formula with its numbers",
                      "모든 입력의 출처와 모든 식에 넣은 숫자를 보여 줍니다"));
}

void add_svg_flag(CLI::App& command, PlanFlags& flags) {
  command.add_option("--svg", flags.svg, tr("draw the result into this file", "결과를 이 파일에 그림으로 씁니다"))
      ->type_name("FILE");
}

Result<plan::Tables> load_tables(const PlanFlags& flags) {
  plan::Tables tables = plan::Tables::builtin();
  for (const std::string& path : flags.tables) TRY(tables.add_file(path));
  return tables;
}

Result<PlannedModel> planned_model(const std::string& name, const plan::Tables& tables) {
  if (name.ends_with(".json")) return PlannedModel{name, name, TRY(read_hf_config(name))};
  Result<plan::ModelRow> row = tables.model(name);
  if (row) return PlannedModel{row->name, plan::source_text(row->source), row->config};
  for (const NamedConfig& known : named_configs()) {
    if (plan::plain_name(known.name) != plan::plain_name(name)) continue;
    ModelConfig config = TRY(find_config(std::string(known.name)));
    return PlannedModel{std::string(known.name), std::string(known.source), config};
  }
  return tl::unexpected<Error>(std::move(row.error()));
}

Result<DeviceCount> parse_devices(const std::string& text, const plan::Tables& tables) {
  DeviceCount out;
  int64_t n = 0;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), n);
  size_t digits = static_cast<size_t>(end - text.data());
  // A known name may start with a number and an x, too: 2x-EPYC-9355.
  if (tables.device(text)) {
    out.device = *tables.device(text);
    return out;
  }
  std::string name = text;
  if (failed == std::errc() && digits < text.size() && (text[digits] == 'x' || text[digits] == 'X')) {
    if (n < 1 || n > plan::kMaxDevices)
      return error("--on \"{}\": expected at least one device, at most {}", text, plan::kMaxDevices);
    out.n = n;
    name = text.substr(digits + 1);
  }
  out.device = TRY_IN(fmt::format("--on \"{}\"", text), tables.device(name));
  return out;
}

std::string figure_text(double value) {
  if (!std::isfinite(value)) return "-";
  if (value == 0) return "0";
  const char* units[] = {"", " k", " M", " B", " T"};
  size_t unit = 0;
  while (std::abs(value) >= 999.5 && unit + 1 < std::size(units)) {
    value /= 1000;
    unit++;
  }
  double size = std::abs(value);
  int decimals = size >= 99.95 ? 0 : size >= 9.995 ? 1 : size >= 0.9995 ? 2 : 3;
  return fmt::format("{:.{}f}{}", value, decimals, units[unit]);
}

std::string usd_text(double value) { return figure_text(value) + " $"; }

std::string percent_text(double share) { return fmt::format("{:.1f} %", 100 * share); }

void print_ranges(const std::vector<RangeRow>& rows) {
  std::vector<std::vector<std::string>> cells;
  for (const RangeRow& row : rows) {
    cells.push_back({row.name, row.text(row.range.low), row.text(row.range.likely), row.text(row.range.high)});
  }
  fmt::print(
      "{}", table_text({{"", false, true}, {tr("LOW", "최소"), true}, {tr("LIKELY", "예상"), true}, {tr("HIGH", "최대"), true}},
                       std::move(cells), output_width()));
}

void print_working(const plan::Working& working) {
  Style style = style_of(STDOUT_FILENO);
  fmt::print("\n{}{}{}\n", style.bold, tr("inputs", "입력"), style.reset);
  for (const plan::Working::Input& input : working.inputs()) {
    fmt::print("  {} = {}\n      {}{}{}\n", input.name, input.value, style.dim, input.source, style.reset);
  }
  fmt::print("\n{}{}{}\n", style.bold, tr("working (likely values)", "계산 과정 (예상값)"), style.reset);
  for (const plan::Working::Step& step : working.steps()) {
    fmt::print("  {} = {}\n      = {}\n      = {}\n", step.name, step.formula, step.numbers, step.result);
  }
}

void print_left_out(const std::vector<std::string>& sentences) {
  fmt::print("\n{}\n", tr("not in these numbers:", "이 숫자에 들어 있지 않은 것:"));
  for (const std::string& sentence : sentences) fmt::print("  - {}\n", sentence);
}

plan::Language plan_language() { return language() == Language::kKorean ? plan::Language::kKorean : plan::Language::kEnglish; }

void print_json(const Json& json) { fmt::print("{}\n", dump_json(json, 2)); }

Status write_svg(const std::string& path, const std::string& svg) {
  std::ofstream file(path, std::ios::binary);
  file << svg;
  file.close();
  if (!file) return error("{}: cannot write the chart; is the folder there?", path);
  return {};
}

}  // namespace minke::cli
