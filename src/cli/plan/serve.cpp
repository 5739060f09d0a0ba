// minke plan serve: speeds, money for a million tokens, and what API prices would pay.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/language.h"
#include "cli/plan/plan.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "plan/answers/chart.h"
#include "plan/request/write.h"

namespace minke::cli {
namespace {

using plan::ServeAnswer;
using plan::ServeQuestion;

struct ServeFlags {
  PlanFlags common;
  std::string model, on, in = "2000", out = "600", compute = "8bit", api;
  double hit = 0, bits = 8, kv_bytes = 2, token_ms = 0, usd_per_hour = -1, utilisation = 1, acceptance = 0.85;
  int64_t tensor = 0, unit = 0, drafts = 0;
};

Result<ServeQuestion> question_of(const ServeFlags& flags, const plan::Tables& tables) {
  PlannedModel model = TRY(planned_model(flags.model, tables));
  DeviceCount devices = TRY(parse_devices(flags.on, tables));
  ServeQuestion q;
  q.model_name = model.name;
  q.model_source = model.source;
  q.config = model.config;
  q.device = devices.device;
  q.n_devices = devices.n;
  q.input_tokens = TRY(parse_count(flags.in, "--in"));
  q.output_tokens = TRY(parse_count(flags.out, "--out"));
  q.hit_share = flags.hit;
  q.weight_bits = flags.bits;
  q.kv_bytes = flags.kv_bytes;
  q.runs_eight_bit = flags.compute == "8bit";
  if (flags.tensor > 0) q.tensor = flags.tensor;
  if (flags.unit > 0) q.unit = flags.unit;
  if (flags.token_ms > 0) q.token_ms = flags.token_ms;
  q.n_drafts = flags.drafts;
  q.acceptance = flags.acceptance;
  if (flags.usd_per_hour >= 0) q.usd_per_hour = flags.usd_per_hour;
  q.utilisation = flags.utilisation;
  q.api = flags.api;
  return q;
}

std::vector<RangeRow> rows_of(const ServeAnswer& a) {
  std::vector<RangeRow> rows = {{tr("prefill, tokens/s a device", "프리필, 장치당 토큰/초"), a.prefill_per_device, figure_text},
                                {tr("decoding, tokens/s a device", "생성, 장치당 토큰/초"), a.decode_per_device, figure_text},
                                {tr("tokens/s of one user", "사용자 한 명의 토큰/초"), a.stream_rate, figure_text},
                                {tr("devices that prefill", "프리필에 쓰는 장치 비율"), a.prefill_share, percent_text},
                                {tr("requests/s in all", "전체 요청/초"), a.requests_per_s, figure_text}};
  if (a.has_price) {
    rows.push_back(
        {tr("$ for 1 M input tokens (not cached)", "입력 100만 토큰 $ (캐시 제외)"), a.usd_per_million_in, figure_text});
    rows.push_back({tr("$ for 1 M output tokens", "출력 100만 토큰 $"), a.usd_per_million_out, figure_text});
    rows.push_back({tr("$ for 1,000 requests", "요청 1,000개 $"),
                    {1000 * a.usd_per_request.low, 1000 * a.usd_per_request.likely, 1000 * a.usd_per_request.high},
                    figure_text});
    rows.push_back({tr("$ a day", "하루 $"), a.usd_per_day, figure_text});
  }
  return rows;
}

void print_answer(const ServeQuestion& q, const ServeAnswer& a) {
  fmt::print("{}, {} x {}, {} {} + {} {}, {} {:.0f} %\n", q.model_name, q.n_devices, q.device.name, figure_text(q.input_tokens),
             tr("in", "입력"), figure_text(q.output_tokens), tr("out", "출력"), tr("cached", "캐시"), 100 * q.hit_share);
  fmt::print(
      fmt::runtime(tr("decoding unit: {} devices (tp{}), {:.0f} streams of {:.0f} that fit, {:.1f} ms a step, limited by {}\n",
                      "생성 단위: 장치 {}대 (tp{}), 스트림 {:.0f}개 (최대 {:.0f}개), 스텝 {:.1f} ms, 병목: {}\n")),
      a.decode_unit.n_devices, a.decode_unit.tensor, a.decode.n_sequences, a.streams_that_fit, a.decode.step.value() * 1e3,
      a.decode.limit);
  fmt::print(fmt::runtime(tr("prefill unit: {} devices (tp{})\n\n", "프리필 단위: 장치 {}대 (tp{})\n\n")),
             a.prefill_unit.n_devices, a.prefill_unit.tensor);
  print_ranges(rows_of(a));
  if (!a.has_price) {
    fmt::print(fmt::runtime(tr("no rental price of {} in the tables: --price gives one\n",
                               "{}의 임대 가격이 표에 없습니다. --price로 정하세요\n")),
               q.device.name);
  }
}

void print_api(const ServeAnswer& a) {
  if (a.api.empty()) return;
  std::vector<std::vector<std::string>> cells;
  for (const plan::ApiComparison& c : a.api) {
    auto share = [&](double use) { return a.has_price ? percent_text(use) : std::string("-"); };
    cells.push_back({c.model, c.date, figure_text(1000 * c.usd_per_request), share(c.break_even.low),
                     share(c.break_even.likely), share(c.break_even.high)});
  }
  fmt::print("\n{}\n", tr("use of the capacity at which an API's prices pay the devices (above 100 %: never):",
                          "API 가격으로 장치 값을 치르는 데 필요한 사용률 (100 %를 넘으면 불가능):"));
  fmt::print("{}", table_text({{"API"},
                               {tr("FROM", "시작일")},
                               {tr("$ / 1,000", "$ / 1,000개"), true},
                               {tr("LOW", "최소"), true},
                               {tr("LIKELY", "예상"), true},
                               {tr("HIGH", "최대"), true}},
                              std::move(cells), ::isatty(STDOUT_FILENO) != 0 ? terminal_width() : 0));
}

std::string chart(const ServeQuestion& q, const ServeAnswer& a) {
  std::vector<plan::Bar> bars;
  auto add = [&](const char* name, const plan::Range& range) { bars.push_back({name, range, usd_text(range.likely)}); };
  add(tr("1 M input tokens", "입력 100만 토큰"), a.usd_per_million_in);
  add(tr("1 M output tokens", "출력 100만 토큰"), a.usd_per_million_out);
  return plan::bars_svg(fmt::format("{}, {} x {}", q.model_name, q.n_devices, q.device.name),
                        tr("Dollars; lines from low to high. People, software and idle hours are not in it.",
                           "달러. 선은 최소에서 최대까지입니다. 인건비, 소프트웨어, 유휴 시간은 들어 있지 않습니다."),
                        bars);
}

Result<int> run_serve(const ServeFlags& flags) {
  plan::Tables tables = TRY(load_tables(flags.common));
  ServeQuestion question = TRY(question_of(flags, tables));
  ServeAnswer answer = TRY(plan::answer_serving(question, tables));
  if (!flags.common.svg.empty()) TRY(write_svg(flags.common.svg, chart(question, answer)));
  if (flags.common.json) {
    print_json(plan::serve_json(question, answer, plan_language()));
    return 0;
  }
  print_answer(question, answer);
  print_api(answer);
  if (flags.common.explain) print_working(answer.working);
  print_left_out(plan::left_out_of_serving(plan_language()));
  return 0;
}

void add_traffic_options(CLI::App& command, ServeFlags& flags) {
  command.add_option("--model", flags.model, tr("name in the tables, or a config.json", "표에 있는 이름 또는 config.json"))
      ->required()
      ->type_name("MODEL");
  command.add_option("--on", flags.on, tr("devices, such as 96xH100", "장치, 예: 96xH100"))->required()->type_name("NxDEVICE");
  command.add_option("--in", flags.in, tr("input tokens of a request (default: 2000)", "요청의 입력 토큰 수 (기본값: 2000)"))
      ->type_name("N");
  command.add_option("--out", flags.out, tr("output tokens of a request (default: 600)", "요청의 출력 토큰 수 (기본값: 600)"))
      ->type_name("N");
  command.add_option("--hit", flags.hit, tr("share of input that a prefix cache holds", "접두사 캐시에 있는 입력의 비율"))
      ->check(CLI::Range(0.0, 0.999).description(""))
      ->type_name("SHARE");
  command
      .add_option("--token-ms", flags.token_ms,
                  tr("milliseconds of a user's token at most (default: the cheapest tokens)",
                     "사용자 토큰 하나의 최대 밀리초 (기본값: 가장 싼 토큰)"))
      ->check(CLI::PositiveNumber.description(""))
      ->type_name("MS");
  command
      .add_option("--use", flags.utilisation,
                  tr("share of the capacity that requests fill (default: 1)", "요청이 채우는 용량의 비율 (기본값: 1)"))
      ->check(CLI::Range(0.001, 1.0).description(""))
      ->type_name("SHARE");
  command.add_option("--price", flags.usd_per_hour, tr("dollars for a device and hour", "장치 한 대의 시간당 달러"))
      ->check(CLI::NonNegativeNumber.description(""))
      ->type_name("USD");
  command
      .add_option("--api", flags.api,
                  tr("model whose API prices over time to compare with, or all", "시기별 API 가격을 비교할 모델, 또는 all"))
      ->type_name("MODEL");
}

void add_engine_options(CLI::App& command, ServeFlags& flags) {
  command.add_option("--bits", flags.bits, tr("of a weight (default: 8)", "가중치의 비트 수 (기본값: 8)"))
      ->check(CLI::Range(1.0, 32.0).description(""))
      ->type_name("N");
  command
      .add_option("--kv-bytes", flags.kv_bytes, tr("of a value in the cache (default: 2)", "캐시 값의 바이트 수 (기본값: 2)"))
      ->check(CLI::Range(0.5, 4.0).description(""))
      ->type_name("N");
  command.add_option("--compute", flags.compute, tr("8bit (FP8 or INT8) or bf16", "8bit(FP8 또는 INT8) 또는 bf16"))
      ->check(CLI::IsMember({"8bit", "bf16"}).description(""))
      ->type_name("TYPE");
  command.add_option("--tp", flags.tensor, tr("ways of tensor parallelism (default: the best)", "텐서 병렬 수 (기본값: 최선)"))
      ->check(CLI::PositiveNumber.description(""))
      ->type_name("N");
  command
      .add_option("--unit", flags.unit,
                  tr("devices that answer together (default: the best)", "함께 답하는 장치 수 (기본값: 최선)"))
      ->check(CLI::PositiveNumber.description(""))
      ->type_name("N");
  auto* drafts = command.add_option("--drafts", flags.drafts, tr("of speculative decoding", "추측 디코딩의 초안 수"))
                     ->check(CLI::Range(1, 8).description(""))
                     ->type_name("N");
  command
      .add_option("--acceptance", flags.acceptance,
                  tr("chance that a draft is right (default: 0.85)", "초안이 맞을 확률 (기본값: 0.85)"))
      ->check(CLI::Range(0.01, 0.999).description(""))
      ->needs(drafts)
      ->type_name("SHARE");
}

}  // namespace

void add_plan_serve(CLI::App& plan, Job& job) {
  auto flags = std::make_shared<ServeFlags>();
  CLI::App* command = plan.add_subcommand("serve", tr("what serving a model costs", "모델 서비스에 드는 비용"));
  add_traffic_options(*command, *flags);
  add_engine_options(*command, *flags);
  add_table_flags(*command, flags->common);
  add_explain_flag(*command, flags->common);
  add_svg_flag(*command, flags->common);
  command->footer(
      tr("Prefill and decoding run on devices of their own; their shares follow from the traffic.\n"
         "Example: minke plan serve --model deepseek-r1 --on 1814xH800 --in 3600 --out 1000 --hit 0.563 --api deepseek-r1",
         "프리필과 생성은 서로 다른 장치에서 돌고, 나누는 비율은 요청에서 정해집니다.\n"
         "예: minke plan serve --model deepseek-r1 --on 1814xH800 --in 3600 --out 1000 --hit 0.563 --api deepseek-r1"));
  command->callback([flags, &job] { job = [flags] { return run_serve(*flags); }; });
}

}  // namespace minke::cli
