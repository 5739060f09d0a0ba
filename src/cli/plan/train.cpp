// minke plan train: time, device-hours, energy and money of a training run.
#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/language.h"
#include "cli/plan/plan.h"
#include "plan/answers/chart.h"
#include "plan/request/questions.h"
#include "plan/request/write.h"

namespace minke::cli {
namespace {

using plan::Range;
using plan::TrainAnswer;
using plan::TrainQuestion;

struct TrainFlags {
  PlanFlags common;
  std::string model, tokens, on, precision, layout, batch, extra_hours;
  int64_t seq_len = 4096;
  bool with_mtp = false;
  double tflops = 0, usd_per_hour = -1, goodput = 0, programme = 0;
};

Result<TrainQuestion> question_of(const TrainFlags& flags, const plan::Tables& tables) {
  PlannedModel model = TRY(planned_model(flags.model, tables));
  DeviceCount devices = TRY(parse_devices(flags.on, tables));
  TrainQuestion q;
  q.model_name = model.name;
  q.model_source = model.source;
  q.config = model.config;
  q.tokens = plan::Tokens(TRY(parse_count(flags.tokens, "--tokens")));
  q.seq_len = flags.seq_len;
  if (!flags.batch.empty()) {
    double batch = TRY(parse_count(flags.batch, "--batch"));
    if (batch < 1 || batch > static_cast<double>(plan::kMaxSequences))
      return error("--batch {}: expected 1 to {} sequences", flags.batch, plan::kMaxSequences);
    q.n_sequences = static_cast<int64_t>(batch);
  }
  q.device = devices.device;
  q.n_devices = devices.n;
  if (flags.precision == "fp8") q.precision = plan::Precision::kFp8;
  if (flags.precision == "bf16") q.precision = plan::Precision::kBf16;
  q.with_mtp = flags.with_mtp;
  q.layout = flags.layout;
  if (flags.tflops > 0) q.tflops = flags.tflops;
  if (flags.usd_per_hour >= 0) q.usd_per_hour = flags.usd_per_hour;
  if (flags.goodput > 0) q.goodput = flags.goodput;
  if (flags.programme > 0) q.programme = flags.programme;
  if (!flags.extra_hours.empty()) q.extra_hours = TRY(parse_count(flags.extra_hours, "--extra-hours"));
  return q;
}

std::vector<RangeRow> rows_of(const TrainAnswer& a) {
  std::vector<RangeRow> rows = {
      {tr("seconds of a step", "한 스텝의 초"), a.step_s, figure_text},
      {tr("tokens a day", "하루 토큰 수"), a.tokens_per_day, figure_text},
      {tr("TFLOPS a device", "장치당 TFLOPS"), a.tflops, figure_text},
      {tr("share of the BF16 peak (MFU, causal)", "BF16 최대 성능 대비 (MFU, causal)"), a.mfu, percent_text},
      {tr("time that makes progress", "진행에 쓰인 시간"), a.goodput, percent_text},
      {tr("days", "일수"), a.days, figure_text},
      {tr("device-hours", "장치 시간"), a.device_hours, figure_text},
      {tr("energy, MWh", "에너지, MWh"), a.energy_mwh, figure_text},
      {tr("CO2, tonnes", "CO2, 톤"), a.tonnes_co2, figure_text}};
  if (a.has_price) {
    rows.push_back({tr("(a) the final run, rented", "(a) 최종 실행, 임대"), a.run_usd, usd_text});
    rows.push_back({tr("(b) the programme around it", "(b) 그를 둘러싼 프로그램 전체"), a.programme_usd, usd_text});
  }
  if (a.has_purchase) {
    rows.push_back({tr("(c) buying the devices", "(c) 장치 구입"), a.fleet_usd, usd_text});
    rows.push_back(
        {tr("an owned device, $/h when always used", "소유한 장치, 항상 쓸 때 $/h"), a.owned_usd_per_hour, figure_text});
  }
  return rows;
}

std::string gb_text(plan::Bytes bytes) { return fmt::format("{:.1f} GB", bytes.value() / 1e9); }

void print_answer(const TrainQuestion& q, const TrainAnswer& a) {
  fmt::print("{}, {} {}, {} x {}, {}, {} x {} {}\n", q.model_name, figure_text(q.tokens.value()), tr("tokens", "토큰"),
             q.n_devices, q.device.name, plan::precision_name(a.precision), a.n_sequences, q.seq_len,
             tr("tokens a step", "토큰/스텝"));
  if (a.choice) {
    const plan::TrainingMemory& m = a.choice->memory;
    fmt::print("{} {}\n", tr("layout:", "배치:"), plan::layout_text(a.choice->layout));
    fmt::print(fmt::runtime(tr(
                   "memory of a device: {} of {} usable (weights {}, gradients {}, optimizer {}, activations {}, logits {})\n",
                   "장치 메모리: {} / 사용 가능 {} (가중치 {}, 기울기 {}, 옵티마이저 {}, 활성값 {}, 로짓 {})\n")),
               gb_text(m.total()), gb_text(a.usable_memory), gb_text(m.weights), gb_text(m.gradients), gb_text(m.optimizer),
               gb_text(m.activations), gb_text(m.logits));
  }
  fmt::print("\n");
  print_ranges(rows_of(a));
  if (!a.has_price) {
    fmt::print(fmt::runtime(tr("no rental price of {} in the tables: --price gives one\n",
                               "{}의 임대 가격이 표에 없습니다. --price로 정하세요\n")),
               q.device.name);
  }
}

std::string chart(const TrainQuestion& q, const TrainAnswer& a) {
  std::vector<plan::Bar> bars;
  auto add = [&](const char* name, const Range& range) { bars.push_back({name, range, usd_text(range.likely)}); };
  if (a.has_price) {
    add(tr("(a) final run, rented", "(a) 최종 실행, 임대"), a.run_usd);
    add(tr("(b) whole programme", "(b) 프로그램 전체"), a.programme_usd);
  }
  if (a.has_purchase) add(tr("(c) buying the devices", "(c) 장치 구입"), a.fleet_usd);
  return plan::bars_svg(fmt::format("{}, {} {}, {} x {}", q.model_name, figure_text(q.tokens.value()), tr("tokens", "토큰"),
                                    q.n_devices, q.device.name),
                        tr("Dollars; lines from low to high. People, data, storage and serving are not in it.",
                           "달러. 선은 최소에서 최대까지입니다. 인건비, 데이터, 저장 장치, 서비스는 들어 있지 않습니다."),
                        bars);
}

Result<int> run_train(const TrainFlags& flags) {
  plan::Tables tables = TRY(load_tables(flags.common));
  TrainQuestion question = TRY(question_of(flags, tables));
  TrainAnswer answer = TRY(plan::answer_training(question, tables));
  if (!flags.common.svg.empty()) TRY(write_svg(flags.common.svg, chart(question, answer)));
  if (flags.common.json) {
    print_json(plan::train_json(question, answer, plan_language()));
    return 0;
  }
  print_answer(question, answer);
  if (flags.common.explain) print_working(answer.working);
  print_left_out(plan::left_out_of_training(plan_language()));
  return 0;
}

void add_run_options(CLI::App& command, TrainFlags& flags) {
  command.add_option("--model", flags.model, tr("name in the tables, or a config.json", "표에 있는 이름 또는 config.json"))
      ->required()
      ->type_name("MODEL");
  command.add_option("--tokens", flags.tokens, tr("to train on, such as 14.8T", "학습할 토큰 수, 예: 14.8T"))
      ->required()
      ->type_name("N");
  command.add_option("--on", flags.on, tr("devices, such as 2048xH800", "장치, 예: 2048xH800"))
      ->required()
      ->type_name("NxDEVICE");
  command.add_option("--seq", flags.seq_len, tr("tokens of a sequence (default: 4096)", "시퀀스의 토큰 수 (기본값: 4096)"))
      ->check(CLI::PositiveNumber.description(""))
      ->type_name("N");
  command
      .add_option("--batch", flags.batch,
                  tr("sequences of a step (default: 16 M tokens, a multiple of the devices)",
                     "한 스텝의 시퀀스 수 (기본값: 토큰 1600만 개, 장치 수의 배수)"))
      ->type_name("N");
  command
      .add_option("--precision", flags.precision,
                  tr("fp8 or bf16 (default: fp8 for FP8 checkpoints on devices that have it)",
                     "fp8 또는 bf16 (기본값: FP8 체크포인트이고 장치가 지원하면 fp8)"))
      ->check(CLI::IsMember({"fp8", "bf16"}).description(""))
      ->type_name("TYPE");
  command.add_flag("--mtp", flags.with_mtp,
                   tr("train the modules of multi-token prediction, too", "다중 토큰 예측 모듈도 학습합니다"));
}

void add_assumption_options(CLI::App& command, TrainFlags& flags) {
  command
      .add_option("--layout", flags.layout,
                  tr("such as pp16,ep64,dp128,dualpipe (default: the fastest that fits)",
                     "예: pp16,ep64,dp128,dualpipe (기본값: 메모리에 맞는 가장 빠른 배치)"))
      ->type_name("PARTS");
  command
      .add_option("--tflops", flags.tflops,
                  tr("model operations a second of a device, measured elsewhere, instead of a layout",
                     "배치 대신, 다른 곳에서 잰 장치당 초당 모델 연산 수"))
      ->check(CLI::PositiveNumber.description(""))
      ->type_name("N");
  command.add_option("--price", flags.usd_per_hour, tr("dollars for a device and hour", "장치 한 대의 시간당 달러"))
      ->check(CLI::NonNegativeNumber.description(""))
      ->type_name("USD");
  command
      .add_option("--goodput", flags.goodput,
                  tr("share of the time that makes progress (default: from failures)",
                     "진행에 쓰인 시간의 비율 (기본값: 고장률에서 계산)"))
      ->check(CLI::Range(0.01, 1.0).description(""))
      ->type_name("SHARE");
  command
      .add_option("--programme", flags.programme,
                  tr("all experiments and runs over the final one (default: 1.5 to 10, as others published)",
                     "모든 실험과 실행을 최종 실행으로 나눈 배수 (기본값: 다른 곳이 발표한 1.5~10)"))
      ->check(CLI::Range(1.0, 1000.0).description(""))
      ->type_name("N");
  command
      .add_option("--extra-hours", flags.extra_hours,
                  tr("device-hours of other stages, such as 124K", "다른 단계의 장치 시간, 예: 124K"))
      ->type_name("N");
}

}  // namespace

void add_plan_train(CLI::App& plan, Job& job) {
  auto flags = std::make_shared<TrainFlags>();
  CLI::App* command = plan.add_subcommand("train", tr("what a training run costs", "학습에 드는 비용"));
  add_run_options(*command, *flags);
  add_assumption_options(*command, *flags);
  add_table_flags(*command, flags->common);
  add_explain_flag(*command, flags->common);
  add_svg_flag(*command, flags->common);
  command->footer(
      tr("Example: minke plan train --model deepseek-v3 --tokens 14.8T --on 2048xH800 --batch 15360 --mtp --extra-hours 124K",
         "예: minke plan train --model deepseek-v3 --tokens 14.8T --on 2048xH800 --batch 15360 --mtp --extra-hours 124K"));
  command->callback([flags, &job] { job = [flags] { return run_train(*flags); }; });
}

}  // namespace minke::cli
