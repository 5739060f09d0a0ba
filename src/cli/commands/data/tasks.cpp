// minke tasks list and minke tasks make SPEC...: problems whose answers a program can check, as training data and for evals.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/language.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "tasks/problem_row.h"
#include "tasks/task.h"
#include "tasks/task_spec.h"

namespace minke::cli {
namespace {

struct MakeFlags {
  std::vector<std::string> specs;
  std::string output, form = "messages", split = "train", language = "en";
  int64_t n = 1000;
  uint64_t seed = 1;
  bool force = false;
};

Result<int> run_make(const MakeFlags& flags) {
  const std::vector<TaskSource> sources = TRY(parse_task_specs(flags.specs));
  const std::vector<Tongue> tongues = tongues_of(flags.language);
  const ProblemSplit split = flags.split == "eval" ? ProblemSplit::kEval : ProblemSplit::kTrain;
  const auto form =
      std::find_if(kProblemForms.begin(), kProblemForms.end(), [&](const auto& f) { return f.first == flags.form; });
  const bool to_file = !flags.output.empty();
  if (to_file && !flags.force && std::filesystem::exists(flags.output))
    return error("{}: exists already; --force replaces it", flags.output);
  std::string rows;
  ProgressBar bar(tr("problems", "문제"), ProgressBar::Unit::kItems);
  const size_t n_kinds = sources.size() * tongues.size();
  for (int64_t i = 0; i < flags.n; i++) {
    if (interrupt_flag()) return kInterruptedExit;
    const size_t kind = static_cast<size_t>(i) % n_kinds;
    const TaskSource& source = sources[kind % sources.size()];
    const Problems of = {split, flags.seed, source.difficulty, tongues[kind / sources.size()]};
    rows += dump_json(problem_row(source.task->make(of, i / static_cast<int64_t>(n_kinds)), form->second)) + "\n";
    bar.update(static_cast<uint64_t>(i) + 1, static_cast<uint64_t>(flags.n));
  }
  if (to_file) {
    TRY(write_file(flags.output, rows));
  } else {
    fmt::print("{}", rows);
  }
  return 0;
}

Result<int> run_list(bool json) {
  if (json) {
    Json out = Json::array();
    for (const Task* task : all_tasks()) {
      Json difficulties = Json::array();
      for (int d = 1; d <= task->max_difficulty(); d++) difficulties.push_back(task->describe(d));
      out.push_back({{"task", task->name()}, {"difficulties", difficulties}});
    }
    fmt::print("{}\n", dump_json(out));
    return 0;
  }
  std::vector<std::vector<std::string>> rows;
  for (const Task* task : all_tasks()) {
    for (int d = 1; d <= task->max_difficulty(); d++) {
      rows.push_back({d == 1 ? std::string(task->name()) : "", std::to_string(d), task->describe(d)});
    }
  }
  fmt::print("{}", table_text({{.title = tr("task", "과제")},
                               {.title = tr("difficulty", "난이도"), .right = true},
                               {.title = tr("what it asks", "내용"), .shrinks = true}},
                              rows, terminal_width()));
  return 0;
}

}  // namespace

void add_tasks(CLI::App& app, Job& job) {
  CLI::App* command =
      app.add_subcommand("tasks", tr("problems with answers that a program can check", "답을 프로그램이 채점할 수 있는 문제"));
  command->require_subcommand(1);
  command->footer(tr("Example: minke tasks make countdown:2 arithmetic_addition:1-3 -n 2000 -o train.jsonl",
                     "예: minke tasks make countdown:2 arithmetic_addition:1-3 -n 2000 -o train.jsonl"));
  CLI::App* list = command->add_subcommand("list", tr("what there is", "과제 목록"));
  auto json = std::make_shared<bool>(false);
  list->add_flag("--json", *json, tr("print JSON", "JSON으로 출력합니다"));
  list->callback([json, &job] { job = [json] { return run_list(*json); }; });

  auto flags = std::make_shared<MakeFlags>();
  CLI::App* make = command->add_subcommand("make", tr("make problems", "문제를 만듭니다"));
  make->add_option("SPEC", flags->specs,
                   tr("NAME, NAME:D or NAME:D-E: a task, its difficulties", "NAME, NAME:D, NAME:D-E: 과제와 난이도"))
      ->required()
      ->type_name("");
  make->add_option("-o,--out", flags->output, tr("file (default: print)", "파일 (기본: 출력)"))->type_name("FILE");
  make->add_option("-n", flags->n, tr("problems in all", "전체 문제 수"))
      ->check(CLI::Range(1, 100'000'000))
      ->type_name("N")
      ->capture_default_str();
  make->add_option("--as", flags->form,
                   tr("messages (for sft), completion (plain text, the question not learnt), text (for pretraining), "
                      "problems (for evals)",
                      "messages(sft용), completion(일반 글, 문제는 학습하지 않음), text(사전 학습용), problems(평가용)"))
      ->check(CLI::IsMember({"messages", "completion", "text", "problems"}))
      ->capture_default_str();
  make->add_option("--split", flags->split, tr("train or eval: no problem is in both", "train 또는 eval: 같은 문제는 없습니다"))
      ->check(CLI::IsMember({"train", "eval"}))
      ->capture_default_str();
  make->add_option("--in", flags->language, tr("en, ko or both", "en, ko 또는 both"))
      ->check(CLI::IsMember({"en", "ko", "both"}))
      ->capture_default_str();
  make->add_option("--seed", flags->seed, tr("of the problems", "문제의 시드"))->capture_default_str();
  make->add_flag("--force", flags->force, tr("replace an existing file", "있는 파일을 바꿉니다"));
  make->footer(
      tr("The same specs, seed and split give the same problems on every machine.\n"
         "Example: minke tasks make countdown:2 arithmetic_addition:1-3 -n 2000 --in both -o train.jsonl",
         "과제, 시드, split이 같으면 어느 컴퓨터에서나 같은 문제가 나옵니다.\n"
         "예: minke tasks make countdown:2 arithmetic_addition:1-3 -n 2000 --in both -o train.jsonl"));
  make->callback([flags, &job] { job = [flags] { return run_make(*flags); }; });
}

}  // namespace minke::cli
