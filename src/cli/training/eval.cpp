// minke eval MODEL SPEC... or --file FILE: how many problems a model gets right, and whether it is better than another.
#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/language.h"
#include "cli/model_argument.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "cli/training/eval_report.h"
#include "eval/eval_table.h"
#include "eval/evaluation.h"
#include "tasks/files/file_grader.h"
#include "tasks/files/problem_file.h"
#include "tasks/task_spec.h"

namespace minke::cli {
namespace {

struct EvalFlags {
  std::string model, against, html, language = "en";
  std::vector<std::string> specs, files;
  EvalOptions options;
  int64_t n = 200, n_shown = 0;
  uint64_t seed = 1;
  int n_threads = 0;
  bool json = false;
};

Result<std::vector<EvalProblem>> read_problems(const EvalFlags& flags) {
  std::vector<EvalProblem> problems;
  const std::vector<TaskSource> sources = TRY(parse_task_specs(flags.specs));
  for (const TaskSource& source : sources) {
    for (Tongue tongue : tongues_of(flags.language)) {
      const Problems of = {ProblemSplit::kEval, flags.seed, source.difficulty, tongue};
      const std::string group = eval_group_name(*source.task, source.difficulty, tongue);
      for (int64_t i = 0; i < flags.n; i++) problems.push_back({group, source.task->make(of, i)});
    }
  }
  for (const std::string& file : flags.files) {
    ProblemFile read = TRY(read_problem_file(file));
    for (Problem& problem : read.problems) {
      problems.push_back({std::filesystem::path(file).filename().string(), std::move(problem)});
    }
  }
  if (problems.empty()) return error("nothing to ask: name tasks (minke tasks list) or give --file");
  return problems;
}

// Nothing when it was interrupted.
Result<std::optional<EvalReport>> evaluate_model(const std::string& argument, const std::vector<EvalProblem>& problems,
                                                 const EvalFlags& flags, const FileGrader& grader, const Machine& machine) {
  const std::string path = TRY(resolve_model(argument));
  const Tokenizer tokenizer = TRY(load_tokenizer_for(path));
  std::unique_ptr<Model> model = TRY(Model::load(path, {.pack = &machine.context, .mtp = false}));
  std::atomic<bool>& interrupted = interrupt_flag();
  const Grade grade = [&](const Problem& problem, std::string_view content) { return grader.grade(problem, content); };
  const auto start = std::chrono::steady_clock::now();
  EvalReport report{argument, {}, {}, 0};
  {
    ProgressBar bar(tr("answers", "답"), ProgressBar::Unit::kItems);
    auto on_progress = [&](int64_t done, int64_t total) {
      bar.update(static_cast<uint64_t>(done), static_cast<uint64_t>(total));
      return !interrupted.load();
    };
    auto results = TRY(evaluate(*model, tokenizer, problems, flags.options, grade, on_progress, machine.context));
    if (!results) return std::optional<EvalReport>{};
    report.results = std::move(*results);
  }
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  report.summaries = summarise(report.results);
  return std::optional(std::move(report));
}

Result<int> run_eval(const EvalFlags& flags) {
  if (flags.options.n_samples > 1 && flags.options.temperature == 0) {
    return error("--samples {}: greedy answers are all the same; give a --temperature above 0", flags.options.n_samples);
  }
  const std::vector<EvalProblem> problems = TRY(read_problems(flags));
  std::vector<Problem> plain;
  for (const EvalProblem& problem : problems) plain.push_back(problem.problem);
  const FileGrader grader = TRY(FileGrader::open(plain));
  const Machine machine = TRY(make_machine(flags.n_threads));
  std::vector<EvalReport> reports;
  for (const std::string& model : {flags.model, flags.against}) {
    if (model.empty()) continue;
    std::optional<EvalReport> report = TRY(evaluate_model(model, problems, flags, grader, machine));
    if (!report) return kInterruptedExit;
    reports.push_back(std::move(*report));
  }
  if (!flags.html.empty()) TRY(write_file(flags.html, eval_html(reports)));
  if (flags.json) {
    fmt::print("{}\n", dump_json(eval_json(reports)));
  } else {
    fmt::print("{}", eval_text(reports, flags.n_shown));
  }
  return 0;
}

}  // namespace

void add_eval(CLI::App& app, Job& job) {
  auto flags = std::make_shared<EvalFlags>();
  flags->options.seed = 1;
  CLI::App* command = app.add_subcommand("eval", tr("how many problems a model gets right", "모델이 문제를 얼마나 맞히는지"));
  command->add_option("MODEL", flags->model, tr("model: folder, .gguf file, org/name", "모델: 폴더, .gguf 파일, org/name"))
      ->required()
      ->type_name("");
  command
      ->add_option("SPEC", flags->specs,
                   tr("NAME, NAME:D or NAME:D-E: a task, its difficulties", "NAME, NAME:D, NAME:D-E: 과제와 난이도"))
      ->type_name("");
  command
      ->add_option("--file", flags->files,
                   tr("problems as .jsonl rows: GSM8K, MATH, AIME, MMLU, HumanEval, MBPP, Countdown, question and answer",
                      "문제 파일 .jsonl: GSM8K, MATH, AIME, MMLU, HumanEval, MBPP, Countdown, question과 answer"))
      ->type_name("FILE");
  command
      ->add_option("--against", flags->against,
                   tr("another model, compared on the same problems", "같은 문제로 견줄 다른 모델"))
      ->type_name("MODEL");
  command->add_option("-n", flags->n, tr("problems of each task, difficulty and language", "과제, 난이도, 언어마다의 문제 수"))
      ->check(CLI::Range(1, 1'000'000))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--in", flags->language, tr("en, ko or both", "en, ko 또는 both"))
      ->check(CLI::IsMember({"en", "ko", "both"}))
      ->capture_default_str();
  command->add_option("--samples", flags->options.n_samples, tr("answers to each problem", "문제마다의 답 수"))
      ->check(CLI::Range(1, 256))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--temperature,--temp", flags->options.temperature, tr("0 is greedy", "0이면 탐욕적 선택"))
      ->check(CLI::Range(0.0, 100.0))
      ->type_name("T")
      ->capture_default_str();
  command->add_option("--max-tokens", flags->options.max_new_tokens, tr("longest answer", "답의 최대 토큰 수"))
      ->check(CLI::Range(1, 1 << 20))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--seed", flags->seed, tr("of the problems", "문제의 시드"))->capture_default_str();
  command->add_option("--sample-seed", flags->options.seed, tr("of the draws", "샘플링의 시드"))->capture_default_str();
  command->add_option("--show", flags->n_shown, tr("print so many wrong answers", "틀린 답을 이만큼 보여 줍니다"))
      ->check(CLI::Range(0, 1000));
  command->add_option("--html", flags->html, tr("write a report with every answer", "모든 답이 담긴 보고서를 씁니다"))
      ->type_name("FILE");
  add_threads_flag(*command, flags->n_threads);
  command->add_flag("--json", flags->json, tr("print JSON", "JSON으로 출력합니다"));
  command->footer(
      tr("Problems of tasks are of the eval split, which no training data has. Intervals are Wilson's, 95 %. Programs of "
         "HumanEval and\n"
         "MBPP run in a sandbox (bubblewrap).\n"
         "Example: minke eval runs/nano/grpo countdown:2 arithmetic_addition:1-3 -n 500 --in both",
         "과제의 문제는 학습 데이터에 없는 eval 쪽에서 나옵니다. 구간은 윌슨의 95 % 구간입니다. HumanEval과 MBPP의 프로그램은\n"
         "샌드박스(bubblewrap)에서 실행합니다.\n"
         "예: minke eval runs/nano/grpo countdown:2 arithmetic_addition:1-3 -n 500 --in both"));
  command->callback([flags, &job] { job = [flags] { return run_eval(*flags); }; });
}

}  // namespace minke::cli
