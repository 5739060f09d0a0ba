// minke plan compare: the same question on several devices, and what-ifs that scale one property of them.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/language.h"
#include "cli/plan/plan.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "plan/request/questions.h"
#include "plan/request/write.h"
#include "train/report/curves.h"

namespace minke::cli {
namespace {

using plan::Comparison;
using plan::Outcome;
using plan::Sweep;

struct CompareFlags {
  PlanFlags common;
  std::string model, tokens = "1T", in = "2000", out = "600", sweep;
  std::vector<std::string> on;
  int64_t n_devices = 64, seq_len = 4096;
  double bits = 8;
  bool serve = false;
};

Result<std::optional<Sweep>> parse_sweep(const std::string& text) {
  if (text.empty()) return std::optional<Sweep>();
  size_t equals = text.find('='), colon = text.find(':', equals == std::string::npos ? 0 : equals);
  Sweep sweep;
  auto number = [&](size_t begin, size_t end, double& out) {
    auto [stop, failed] = std::from_chars(text.data() + begin, text.data() + end, out);
    return failed == std::errc() && stop == text.data() + end;
  };
  bool is_whole = equals != std::string::npos && colon != std::string::npos && number(equals + 1, colon, sweep.low) &&
                  number(colon + 1, text.size(), sweep.high);
  if (is_whole) sweep.property = text.substr(0, equals);
  if (!is_whole || !plan::check_sweep(sweep)) {
    return error(
        "--sweep \"{}\": expected PROPERTY=LOW:HIGH with bandwidth, network, compute, memory, price or tokens and factors, "
        "such as "
        "bandwidth=0.5:2",
        text);
  }
  return std::optional<Sweep>(sweep);
}

// The question that every device is asked.
Result<Comparison> comparison_of(const CompareFlags& flags, const PlannedModel& model, const plan::Tables& tables) {
  auto named = [&](auto q) {
    q.model_name = model.name;
    q.model_source = model.source;
    q.config = model.config;
    q.n_devices = flags.n_devices;
    return q;
  };
  Comparison out;
  if (flags.serve) {
    plan::ServeQuestion q = named(plan::ServeQuestion{});
    q.input_tokens = TRY(parse_count(flags.in, "--in"));
    q.output_tokens = TRY(parse_count(flags.out, "--out"));
    q.weight_bits = flags.bits;
    out.question = q;
  } else {
    plan::TrainQuestion q = named(plan::TrainQuestion{});
    q.tokens = plan::Tokens(TRY(parse_count(flags.tokens, "--tokens")));
    q.seq_len = flags.seq_len;
    out.question = q;
  }
  for (const std::string& name : flags.on) out.devices.push_back(TRY(tables.device(name)));
  return out;
}

std::string range_text(const plan::Range& r) {
  return fmt::format("{} ({} - {})", figure_text(r.likely), figure_text(r.low), figure_text(r.high));
}

void print_outcomes(const CompareFlags& flags, const std::vector<Outcome>& outcomes) {
  std::vector<std::vector<std::string>> cells;
  std::vector<Column> columns;
  for (const Outcome& o : outcomes) {
    auto shown = [&](const plan::Range& r, bool known) { return o.is_known && known ? range_text(r) : std::string("-"); };
    if (flags.serve) {
      cells.push_back({o.device, shown(o.prefill, true), shown(o.decode, true), shown(o.stream, true),
                       shown(o.usd_out, o.has_price), o.note});
    } else {
      cells.push_back({o.device, shown(o.days, true), shown(o.device_hours, true), shown(o.usd, o.has_price), o.note});
    }
  }
  if (flags.serve) {
    columns = {{tr("DEVICE", "장치")},
               {tr("PREFILL/s", "프리필/초"), true},
               {tr("DECODE/s", "생성/초"), true},
               {tr("USER/s", "사용자/초"), true},
               {tr("$ / 1M OUT", "$ / 출력 100만"), true},
               {tr("UNIT, LIMIT", "단위, 병목"), false, true}};
  } else {
    columns = {{tr("DEVICE", "장치")},
               {tr("DAYS", "일수"), true},
               {tr("DEVICE-HOURS", "장치 시간"), true},
               {tr("$ (RENTED)", "$ (임대)"), true},
               {tr("LAYOUT", "배치"), false, true}};
  }
  fmt::print("{}", table_text(columns, std::move(cells), ::isatty(STDOUT_FILENO) != 0 ? terminal_width() : 0));
}

// The figure that a sweep draws: money where every device has a price, else days or decoding.
double drawn(const CompareFlags& flags, const Outcome& o, bool money) {
  if (!o.is_known) return std::nan("");
  if (flags.serve) return money ? o.usd_out.likely : o.decode.likely;
  return money ? o.usd.likely : o.days.likely;
}

Result<int> run_sweep(const CompareFlags& flags, const std::string& model, const Comparison& c, const Sweep& sweep,
                      const plan::Tables& tables) {
  std::vector<Line> lines;
  std::vector<std::vector<std::string>> cells;
  std::vector<Column> columns = {{sweep.property, true}};
  bool money = true;
  for (const plan::Device& device : c.devices) money = money && tables.rental(device.name) != nullptr;
  for (const plan::Device& device : c.devices) {
    lines.push_back({device.name, {}});
    columns.push_back({device.name, true});
  }
  for (int i = 0; i < plan::kSweepPoints; i++) {
    double factor = plan::sweep_factor(sweep, i);
    std::vector<std::string> row = {fmt::format("x {:.3g}", factor)};
    for (size_t d = 0; d < c.devices.size(); d++) {
      double value = drawn(flags, plan::outcome_on(c, c.devices[d], sweep.property, factor, tables), money);
      lines[d].points.emplace_back(factor, value);
      row.push_back(figure_text(value));
    }
    cells.push_back(std::move(row));
  }
  const char* what =
      flags.serve ? (money ? tr("dollars for 1 M output tokens", "출력 100만 토큰의 달러")
                           : tr("tokens/s a device, decoding", "장치당 생성 토큰/초"))
                  : (money ? tr("dollars of the run, rented", "실행의 임대 비용, 달러") : tr("days of the run", "실행의 일수"));
  if (!flags.common.svg.empty()) {
    Panel panel{what, lines, true};
    TRY(write_svg(flags.common.svg, panels_svg(fmt::format("{}, {} {}", model, flags.n_devices, tr("devices", "장치")),
                                               fmt::format("{} x", sweep.property), std::span(&panel, 1))));
  }
  if (flags.common.json) return 0;
  fmt::print("{}: {}\n", model, what);
  fmt::print("{}", table_text(columns, std::move(cells), ::isatty(STDOUT_FILENO) != 0 ? terminal_width() : 0));
  return 0;
}

Result<int> run_compare(const CompareFlags& flags) {
  plan::Tables tables = TRY(load_tables(flags.common));
  std::optional<Sweep> sweep = TRY(parse_sweep(flags.sweep));
  PlannedModel model = TRY(planned_model(flags.model, tables));
  Comparison c = TRY(comparison_of(flags, model, tables));
  if (!sweep && !flags.common.svg.empty()) {
    return error("--svg: a comparison without --sweep has no chart; add --sweep bandwidth=0.5:2");
  }
  if (flags.common.json) {
    print_json(plan::comparison_json(c, sweep, tables));
    if (flags.common.svg.empty()) return 0;
  }
  if (sweep) return run_sweep(flags, model.name, c, *sweep, tables);
  std::vector<Outcome> outcomes;
  for (const plan::Device& device : c.devices) outcomes.push_back(plan::outcome_on(c, device, "", 1, tables));
  fmt::print(
      "{}, {} {}, {}\n\n", model.name, flags.n_devices, tr("devices each", "장치씩"),
      flags.serve ? fmt::format("{} + {}", flags.in, flags.out) : fmt::format("{} {}", flags.tokens, tr("tokens", "토큰")));
  print_outcomes(flags, outcomes);
  return 0;
}

}  // namespace

void add_plan_compare(CLI::App& plan, Job& job) {
  auto flags = std::make_shared<CompareFlags>();
  CLI::App* command = plan.add_subcommand("compare", tr("the same on other devices, and what-ifs", "다른 장치와 가정의 비교"));
  command->add_option("--model", flags->model, tr("name in the tables, or a config.json", "표에 있는 이름 또는 config.json"))
      ->required()
      ->type_name("MODEL");
  command->add_option("--on", flags->on, tr("devices: H800,H20,H100", "장치: H800,H20,H100"))
      ->required()
      ->delimiter(',')
      ->expected(1, 6)
      ->allow_extra_args(false)
      ->type_name("DEVICE,...");
  command->add_option("--devices", flags->n_devices, tr("of each kind (default: 64)", "종류마다 장치 수 (기본값: 64)"))
      ->check(CLI::Range(int64_t{1}, plan::kMaxDevices).description(""))
      ->type_name("N");
  auto* serve =
      command->add_flag("--serve", flags->serve, tr("compare serving instead of training", "학습 대신 서비스를 비교합니다"));
  command->add_option("--tokens", flags->tokens, tr("to train on (default: 1T)", "학습할 토큰 수 (기본값: 1T)"))
      ->excludes(serve)
      ->type_name("N");
  command->add_option("--seq", flags->seq_len, tr("tokens of a sequence (default: 4096)", "시퀀스의 토큰 수 (기본값: 4096)"))
      ->check(CLI::PositiveNumber.description(""))
      ->excludes(serve)
      ->type_name("N");
  command->add_option("--in", flags->in, tr("input tokens of a request (default: 2000)", "요청의 입력 토큰 수 (기본값: 2000)"))
      ->needs(serve)
      ->type_name("N");
  command->add_option("--out", flags->out, tr("output tokens of a request (default: 600)", "요청의 출력 토큰 수 (기본값: 600)"))
      ->needs(serve)
      ->type_name("N");
  command
      ->add_option("--bits", flags->bits, tr("of a weight in serving (default: 8)", "서비스할 때 가중치의 비트 수 (기본값: 8)"))
      ->check(CLI::Range(1.0, 32.0).description(""))
      ->needs(serve)
      ->type_name("N");
  command
      ->add_option("--sweep", flags->sweep,
                   tr("scale bandwidth, network, compute, memory, price or tokens: bandwidth=0.5:2",
                      "bandwidth, network, compute, memory, price, tokens 중 하나의 배율을 바꿉니다: bandwidth=0.5:2"))
      ->type_name("PROPERTY=LOW:HIGH");
  add_table_flags(*command, flags->common);
  add_svg_flag(*command, flags->common);
  command->footer(
      tr("Examples: minke plan compare --model deepseek-v3 --tokens 14.8T --devices 2048 --on H800,H20,H100,Ascend-910C\n"
         "          minke plan compare --model deepseek-v3 --serve --on H800,H20 --sweep bandwidth=0.5:2 --svg sweep.svg",
         "예: minke plan compare --model deepseek-v3 --tokens 14.8T --devices 2048 --on H800,H20,H100,Ascend-910C\n"
         "    minke plan compare --model deepseek-v3 --serve --on H800,H20 --sweep bandwidth=0.5:2 --svg sweep.svg"));
  command->callback([flags, &job] { job = [flags] { return run_compare(*flags); }; });
}

}  // namespace minke::cli
