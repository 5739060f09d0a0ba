// minke plan rl: what reinforcement learning costs, mostly the writing of long answers.
#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/language.h"
#include "cli/plan/plan.h"
#include "plan/request/write.h"

namespace minke::cli {
namespace {

struct RlFlags {
  PlanFlags common;
  std::string model, on, rounds, answers, answer = "8000", cap = "32768", prompt = "200";
  double bits = 8, usd_per_hour = -1;
};

Result<plan::RlQuestion> question_of(const RlFlags& flags, const plan::Tables& tables) {
  PlannedModel model = TRY(planned_model(flags.model, tables));
  DeviceCount devices = TRY(parse_devices(flags.on, tables));
  plan::RlQuestion q;
  q.model_name = model.name;
  q.model_source = model.source;
  q.config = model.config;
  q.device = devices.device;
  q.n_devices = devices.n;
  q.n_rounds = TRY(parse_count(flags.rounds, "--rounds"));
  q.answers_per_round = TRY(parse_count(flags.answers, "--answers"));
  q.answer_tokens = TRY(parse_count(flags.answer, "--answer"));
  q.cap_tokens = TRY(parse_count(flags.cap, "--cap"));
  q.prompt_tokens = TRY(parse_count(flags.prompt, "--prompt"));
  q.weight_bits = flags.bits;
  if (flags.usd_per_hour >= 0) q.usd_per_hour = flags.usd_per_hour;
  return q;
}

Result<int> run_rl(const RlFlags& flags) {
  plan::Tables tables = TRY(load_tables(flags.common));
  plan::RlQuestion q = TRY(question_of(flags, tables));
  plan::RlAnswer a = TRY(plan::answer_rl(q, tables));
  if (flags.common.json) {
    print_json(plan::rl_json(q, a, plan_language()));
    return 0;
  }
  fmt::print("{}, {} x {}, {} {} {} {}\n", q.model_name, q.n_devices, q.device.name, figure_text(q.n_rounds),
             tr("rounds of", "라운드 x 답변"), figure_text(q.answers_per_round),
             fmt::format(fmt::runtime(tr("answers of {} tokens", "개, 답변당 {} 토큰")), figure_text(q.answer_tokens)));
  fmt::print("{}\n\n", a.waits_for_longest
                           ? tr("each round waits for its longest answer", "라운드마다 가장 긴 답변을 기다립니다")
                           : tr("each round waits for the devices", "라운드마다 장치의 속도가 시간을 정합니다"));
  std::vector<RangeRow> rows = {{tr("hours of writing", "생성 시간"), a.writing_hours, figure_text},
                                {tr("hours of scoring", "채점 계산 시간"), a.scoring_hours, figure_text},
                                {tr("hours of learning", "학습 시간"), a.learning_hours, figure_text},
                                {tr("days", "일수"), a.days, figure_text},
                                {tr("device-hours", "장치 시간"), a.device_hours, figure_text}};
  if (a.has_price) rows.push_back({tr("money", "비용"), a.usd, usd_text});
  print_ranges(rows);
  if (flags.common.explain) print_working(a.working);
  print_left_out(plan::left_out_of_rl(plan_language()));
  return 0;
}

}  // namespace

void add_plan_rl(CLI::App& plan, Job& job) {
  auto flags = std::make_shared<RlFlags>();
  CLI::App* command = plan.add_subcommand("rl", tr("what reinforcement learning costs", "강화 학습에 드는 비용"));
  command->add_option("--model", flags->model, tr("name in the tables, or a config.json", "표에 있는 이름 또는 config.json"))
      ->required()
      ->type_name("MODEL");
  command->add_option("--on", flags->on, tr("devices, such as 512xH800", "장치, 예: 512xH800"))
      ->required()
      ->type_name("NxDEVICE");
  command->add_option("--rounds", flags->rounds, tr("rounds of writing and learning", "생성과 학습의 라운드 수"))
      ->required()
      ->type_name("N");
  command->add_option("--answers", flags->answers, tr("answers of a round", "라운드당 답변 수"))->required()->type_name("N");
  command
      ->add_option("--answer", flags->answer,
                   tr("mean tokens of an answer (default: 8000)", "답변의 평균 토큰 수 (기본값: 8000)"))
      ->type_name("N");
  command
      ->add_option("--cap", flags->cap,
                   tr("tokens of an answer at most (default: 32768)", "답변의 최대 토큰 수 (기본값: 32768)"))
      ->type_name("N");
  command->add_option("--prompt", flags->prompt, tr("tokens of a prompt (default: 200)", "프롬프트의 토큰 수 (기본값: 200)"))
      ->type_name("N");
  command
      ->add_option("--bits", flags->bits,
                   tr("of a weight while writing (default: 8)", "생성할 때 가중치의 비트 수 (기본값: 8)"))
      ->check(CLI::Range(1.0, 32.0).description(""))
      ->type_name("N");
  command->add_option("--price", flags->usd_per_hour, tr("dollars for a device and hour", "장치 한 대의 시간당 달러"))
      ->check(CLI::NonNegativeNumber.description(""))
      ->type_name("USD");
  add_table_flags(*command, flags->common);
  add_explain_flag(*command, flags->common);
  command->footer(tr("Example: minke plan rl --model deepseek-v3 --on 512xH800 --rounds 650 --answers 8192 --answer 8000",
                     "예: minke plan rl --model deepseek-v3 --on 512xH800 --rounds 650 --answers 8192 --answer 8000"));
  command->callback([flags, &job] { job = [flags] { return run_rl(*flags); }; });
}

}  // namespace minke::cli
