// Several models at the same problems: one file each, and eval.json of all at the end.
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "cli/interrupt.h"
#include "cli/language.h"
#include "cli/pipeline/work_stage.h"
#include "cli/terminal.h"
#include "eval/eval_table.h"
#include "train/checkpoint/folders.h"
#include "train/loop/flops.h"

namespace minke::cli {
namespace {

namespace fs = std::filesystem;

std::vector<EvalProblem> problems_of(const recipe::EvalPart& part) {
  std::vector<EvalProblem> problems;
  for (const TaskShare& share : part.tasks) {
    const Problems of = {ProblemSplit::kEval, part.seed, share.difficulty, share.tongue};
    for (int64_t i = 0; i < part.n_problems; i++) {
      problems.push_back({eval_group_name(*share.task, share.difficulty, share.tongue), share.task->make(of, i)});
    }
  }
  return problems;
}

// Nothing when Ctrl-C ended it.
Result<std::optional<EvaluatedModel>> evaluate_model(const WorkStage& stage, const recipe::EvalPart& part,
                                                     const recipe::EvalModelPart& row,
                                                     const std::vector<EvalProblem>& problems) {
  const std::string folder = TRY(model_folder(row.path));
  const Tokenizer tokenizer = TRY(load_tokenizer_for(folder));
  std::unique_ptr<Model> model = TRY(Model::load(folder, {.pack = &stage.machine.context, .mtp = false}));
  EvalOptions options;
  options.max_new_tokens = part.max_new_tokens;
  options.seed = part.seed;
  const Grade grade = [](const Problem& problem, std::string_view content) -> Result<double> {
    const Task* task = TRY(find_task(problem.task));
    return task->grade(problem, content);
  };
  ProgressBar bar(stage.recipe.name + " " + row.name, ProgressBar::Unit::kItems);
  const auto on_progress = [&](int64_t done, int64_t total) {
    bar.update(static_cast<uint64_t>(done), static_cast<uint64_t>(total));
    return !interrupt_flag().load();
  };
  const auto start = std::chrono::steady_clock::now();
  const auto results = TRY(evaluate(*model, tokenizer, problems, options, grade, on_progress, stage.machine.context));
  if (!results) return std::optional<EvaluatedModel>{};
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return std::optional(evaluated_model(row.name, *results, seconds));
}

}  // namespace

WorkResult evaluate_models(const WorkStage& stage, const recipe::EvalPart& part) {
  const std::vector<EvalProblem> problems = problems_of(part);
  EvalTable table{part.seed, {}};
  int64_t n_tokens = 0;
  for (size_t i = 0; i < part.models.size(); i++) {
    const recipe::EvalModelPart& row = part.models[i];
    const std::string path = fmt::format("{}/model-{:02}.json", stage.recipe.out, i);
    if (fs::exists(path)) {
      const Json json = TRY(read_json_file(path));
      table.models.push_back(TRY(parse_model(json, path)));
      continue;
    }
    std::optional<EvaluatedModel> model = TRY(evaluate_model(stage, part, row, problems));
    if (!model) return std::nullopt;
    TRY(write_file(path, dump_json(model_json(*model)) + "\n"));
    for (const EvaluatedGroup& group : model->groups) {
      n_tokens += static_cast<int64_t>(group.summary.tokens * static_cast<double>(group.summary.n_problems));
    }
    TRY(stage.ledger.update(n_tokens, 0));
    table.models.push_back(std::move(*model));
  }
  TRY(write_file(stage.recipe.out + "/eval.json", dump_json(table_json(table), 1) + "\n"));
  for (size_t i = 0; i < part.models.size(); i++) fs::remove(fmt::format("{}/model-{:02}.json", stage.recipe.out, i));
  Json figures = {{"problems", problems.size()}};
  for (const EvaluatedModel& model : table.models) {
    double n_right = 0;
    for (const EvaluatedGroup& group : model.groups) {
      n_right += group.summary.accuracy * static_cast<double>(group.summary.n_problems);
    }
    figures[model.name] = n_right / static_cast<double>(problems.size());
  }
  return figures;
}

}  // namespace minke::cli
