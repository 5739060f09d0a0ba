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
#include "plan/answers/serve_answer.h"
#include "train/report/curves.h"

namespace minke::cli {
namespace {

struct CompareFlags {
  PlanFlags common;
  std::string model, tokens = "1T", in = "2000", out = "600", sweep;
  std::vector<std::string> on;
  int64_t n_devices = 64, seq_len = 4096;
  double bits = 8;
  bool serve = false;
};

// What a row shows: money where the tables have a price, else what it is made of.
struct Outcome {
  std::string device, note;                      // note: why there is no figure
  plan::Range days, device_hours, usd;           // training
  plan::Range prefill, decode, stream, usd_out;  // serving
  bool is_known = false, has_price = false;
};

struct Sweep {
  std::string property;
  double low = 1, high = 1;
};

// Properties that a sweep scales.
bool scale(plan::Device& device, const std::string& property, double factor) {
  if (property == "bandwidth") {
    device.bandwidth = factor * device.bandwidth;
  } else if (property == "compute") {
    device.bf16 = factor * device.bf16;
    device.fp8 = factor * device.fp8;
    device.int8 = factor * device.int8;
  } else if (property == "memory") {
    device.memory = factor * device.memory;
  } else if (property == "network") {
    device.scale_up = factor * device.scale_up;
    device.scale_out = factor * device.scale_out;
  } else {
    return property == "price" || property == "tokens";
  }
  return true;
}

Result<std::optional<Sweep>> parse_sweep(const std::string& text) {
  if (text.empty()) return std::optional<Sweep>();
  size_t equals = text.find('='), colon = text.find(':', equals == std::string::npos ? 0 : equals);
  plan::Device unused;
  Sweep sweep;
  auto number = [&](size_t begin, size_t end, double& out) {
    auto [stop, failed] = std::from_chars(text.data() + begin, text.data() + end, out);
    return failed == std::errc() && stop == text.data() + end && out > 0 && std::isfinite(out);
  };
  bool is_whole = equals != std::string::npos && colon != std::string::npos && number(equals + 1, colon, sweep.low) &&
                  number(colon + 1, text.size(), sweep.high) && sweep.low < sweep.high;
  if (is_whole) sweep.property = text.substr(0, equals);
  if (!is_whole || !scale(unused, sweep.property, 1)) {
    return error(
        "--sweep \"{}\": expected PROPERTY=LOW:HIGH with bandwidth, network, compute, memory, price or tokens and factors, "
        "such as "
        "bandwidth=0.5:2",
        text);
  }
  return std::optional<Sweep>(sweep);
}

Outcome train_on(const CompareFlags& flags, const PlannedModel& model, const plan::Device& device, double price_factor,
                 double tokens, const plan::Tables& tables) {
  plan::TrainQuestion q;
  q.model_name = model.name;
  q.model_source = model.source;
  q.config = model.config;
  q.tokens = plan::Tokens(tokens);
  q.seq_len = flags.seq_len;
  q.device = device;
  q.n_devices = flags.n_devices;
  Outcome out;
  out.device = device.name;
  Result<plan::TrainAnswer> answer = plan::answer_training(q, tables);
  if (!answer) {
    out.note = answer.error().message;
    return out;
  }
  out.is_known = true;
  out.days = answer->days;
  out.device_hours = answer->device_hours;
  out.has_price = answer->has_price;
  out.usd = {price_factor * answer->run_usd.low, price_factor * answer->run_usd.likely, price_factor * answer->run_usd.high};
  out.note = answer->choice ? plan::layout_text(answer->choice->layout) : "";
  return out;
}

Outcome serve_on(const CompareFlags& flags, const PlannedModel& model, const plan::Device& device, double price_factor,
                 double token_factor, const plan::Tables& tables) {
  plan::ServeQuestion q;
  q.model_name = model.name;
  q.model_source = model.source;
  q.config = model.config;
  q.device = device;
  q.n_devices = flags.n_devices;
  Outcome out;
  out.device = device.name;
  Result<double> in = parse_count(flags.in, "--in"), written = parse_count(flags.out, "--out");
  if (!in || !written) {
    out.note = in ? written.error().message : in.error().message;
    return out;
  }
  q.input_tokens = *in * token_factor;
  q.output_tokens = *written * token_factor;
  q.weight_bits = flags.bits;
  q.runs_eight_bit = device.eight_bit().has_value();
  Result<plan::ServeAnswer> answer = plan::answer_serving(q, tables);
  if (!answer) {
    out.note = answer.error().message;
    return out;
  }
  out.is_known = true;
  out.prefill = answer->prefill_per_device;
  out.decode = answer->decode_per_device;
  out.stream = answer->stream_rate;
  out.has_price = answer->has_price;
  out.usd_out = {price_factor * answer->usd_per_million_out.low, price_factor * answer->usd_per_million_out.likely,
                 price_factor * answer->usd_per_million_out.high};
  out.note = fmt::format("{} {}", answer->decode_unit.n_devices, answer->decode.limit);
  return out;
}

struct Comparison {
  PlannedModel model;
  std::vector<plan::Device> devices;
  double tokens = 0;
};

Outcome outcome_of(const CompareFlags& flags, const Comparison& c, plan::Device device, const std::string& property,
                   double factor, const plan::Tables& tables) {
  scale(device, property, factor);
  double price = property == "price" ? factor : 1, tokens = property == "tokens" ? factor : 1;
  return flags.serve ? serve_on(flags, c.model, device, price, tokens, tables)
                     : train_on(flags, c.model, device, price, c.tokens * tokens, tables);
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

Json outcome_json(const CompareFlags& flags, const Outcome& o) {
  Json out = {{"device", o.device}};
  if (!o.is_known) {
    out["error"] = o.note;
    return out;
  }
  if (flags.serve) {
    out["prefill_tokens_per_s_per_device"] = range_json(o.prefill);
    out["decode_tokens_per_s_per_device"] = range_json(o.decode);
    out["stream_tokens_per_s"] = range_json(o.stream);
    out["usd_per_million_out"] = o.has_price ? range_json(o.usd_out) : Json();
  } else {
    out["days"] = range_json(o.days);
    out["device_hours"] = range_json(o.device_hours);
    out["usd"] = o.has_price ? range_json(o.usd) : Json();
    out["layout"] = o.note;
  }
  return out;
}

// The figure that a sweep draws: money where every device has a price, else days or decoding.
double drawn(const CompareFlags& flags, const Outcome& o, bool money) {
  if (!o.is_known) return std::nan("");
  if (flags.serve) return money ? o.usd_out.likely : o.decode.likely;
  return money ? o.usd.likely : o.days.likely;
}

Result<int> run_sweep(const CompareFlags& flags, const Comparison& c, const Sweep& sweep, const plan::Tables& tables) {
  constexpr int kPoints = 9;
  std::vector<Line> lines;
  std::vector<std::vector<std::string>> cells;
  std::vector<Column> columns = {{sweep.property, true}};
  bool money = true;
  for (const plan::Device& device : c.devices) money = money && tables.rental(device.name) != nullptr;
  for (const plan::Device& device : c.devices) {
    lines.push_back({device.name, {}});
    columns.push_back({device.name, true});
  }
  Json rows = Json::array();
  for (int i = 0; i < kPoints; i++) {
    double factor = sweep.low * std::pow(sweep.high / sweep.low, static_cast<double>(i) / (kPoints - 1));
    std::vector<std::string> row = {fmt::format("x {:.3g}", factor)};
    for (size_t d = 0; d < c.devices.size(); d++) {
      Outcome o = outcome_of(flags, c, c.devices[d], sweep.property, factor, tables);
      double value = drawn(flags, o, money);
      lines[d].points.emplace_back(factor, value);
      row.push_back(figure_text(value));
      Json point = outcome_json(flags, o);
      point["factor"] = factor;
      rows.push_back(point);
    }
    cells.push_back(std::move(row));
  }
  const char* what =
      flags.serve ? (money ? tr("dollars for 1 M output tokens", "출력 100만 토큰의 달러")
                           : tr("tokens/s a device, decoding", "장치당 생성 토큰/초"))
                  : (money ? tr("dollars of the run, rented", "실행의 임대 비용, 달러") : tr("days of the run", "실행의 일수"));
  if (!flags.common.svg.empty()) {
    Panel panel{what, lines, true};
    TRY(write_svg(flags.common.svg, panels_svg(fmt::format("{}, {} {}", c.model.name, flags.n_devices, tr("devices", "장치")),
                                               fmt::format("{} x", sweep.property), std::span(&panel, 1))));
  }
  if (flags.common.json) {
    fmt::print("{}\n", dump_json(Json{{"sweep", sweep.property}, {"points", rows}}, 2));
    return 0;
  }
  fmt::print("{}: {}\n", c.model.name, what);
  fmt::print("{}", table_text(columns, std::move(cells), ::isatty(STDOUT_FILENO) != 0 ? terminal_width() : 0));
  return 0;
}

Result<int> run_compare(const CompareFlags& flags) {
  plan::Tables tables = TRY(load_tables(flags.common));
  std::optional<Sweep> sweep = TRY(parse_sweep(flags.sweep));
  Comparison c;
  c.model = TRY(planned_model(flags.model, tables));
  c.tokens = TRY(parse_count(flags.tokens, "--tokens"));
  TRY(parse_count(flags.in, "--in"));
  TRY(parse_count(flags.out, "--out"));
  for (const std::string& name : flags.on) c.devices.push_back(TRY(tables.device(name)));
  if (sweep) return run_sweep(flags, c, *sweep, tables);
  if (!flags.common.svg.empty()) return error("--svg: a comparison without --sweep has no chart; add --sweep bandwidth=0.5:2");
  std::vector<Outcome> outcomes;
  for (const plan::Device& device : c.devices) outcomes.push_back(outcome_of(flags, c, device, "", 1, tables));
  if (flags.common.json) {
    Json rows = Json::array();
    for (const Outcome& o : outcomes) rows.push_back(outcome_json(flags, o));
    fmt::print("{}\n", dump_json(rows, 2));
    return 0;
  }
  fmt::print(
      "{}, {} {}, {}\n\n", c.model.name, flags.n_devices, tr("devices each", "장치씩"),
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
      ->check(CLI::Range(int64_t{1}, kMaxDevices).description(""))
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
