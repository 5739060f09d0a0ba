// minke train FILE: the stages of a recipe, one after the other, each in its folder and with its row in the ledger.
#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/language.h"
#include "cli/model_argument.h"
#include "cli/pipeline/model_card.h"
#include "cli/terminal.h"
#include "cli/training/compare.h"
#include "cli/training/stage_run.h"
#include "kernels/probe.h"

namespace minke::cli {
namespace {

struct TrainFlags {
  std::string recipe, stage;
  int n_threads = 0;
  bool check_only = false, take_previous = false, json = false;
};

void print_stage(const recipe::Recipe& recipe, const StageResult& result, bool json) {
  if (json) {
    Json out = result.figures.is_null() ? Json::object() : result.figures;
    out["name"] = recipe.name;
    out["out"] = recipe.out;
    out["finished"] = result.end == RunEnd::kFinished;
    fmt::print("{}\n", dump_json(out));
  } else if (!result.figures.is_null()) {
    fmt::print("{}: {}, {}\n", recipe.name, stage_outcome(result.figures), recipe.out);
  }
  std::fflush(stdout);
}

Result<int> run_train(const TrainFlags& flags) {
  const std::vector<recipe::Recipe> pipeline = TRY(recipe::read_recipes(flags.recipe));
  std::vector<recipe::Recipe> recipes = pipeline;
  if (!flags.stage.empty()) {
    std::erase_if(recipes, [&](const recipe::Recipe& r) { return r.name != flags.stage; });
    if (recipes.empty()) return error("{}: no stage \"{}\"", flags.recipe, flags.stage);
  }
  if (flags.check_only) {
    for (const recipe::Recipe& r : recipes) fmt::print("{}  {}  {}\n", r.name, recipe::recipe_kind_name(r.kind), r.hash);
    return 0;
  }
  const Machine machine = TRY(make_machine(flags.n_threads));
  const RunSetup setup = {1e9 * measure_fma_gflops(machine.context),
                          flags.take_previous ? IfDamaged::kTakePrevious : IfDamaged::kRefuse};
  for (const recipe::Recipe& r : recipes) {
    const StageResult result = TRY(run_stage(r, pipeline, setup, machine));
    print_stage(r, result, flags.json);
    if (result.end == RunEnd::kStopped) return kInterruptedExit;
  }
  return 0;
}

void add_train_flags(CLI::App& command, const std::shared_ptr<TrainFlags>& flags, Job& job) {
  command.add_option("FILE", flags->recipe, tr("recipe, a .toml file", "레시피 .toml 파일"))->required()->type_name("");
  command.add_option("--stage", flags->stage, tr("only the stage of this name", "이 이름의 단계만"))->type_name("NAME");
  command.add_flag("--check", flags->check_only, tr("read the recipe and stop", "레시피만 읽고 끝냅니다"));
  command.add_flag("--previous", flags->take_previous,
                   tr("when the last checkpoint is damaged, go on from the one before it",
                      "마지막 체크포인트가 손상되었으면 그 앞의 것에서 이어 갑니다"));
  add_threads_flag(command, flags->n_threads);
  command.add_flag("--json", flags->json, tr("print JSON", "JSON으로 출력합니다"));
  command.footer(tr(
      "Trains as the recipe says (docs/recipes.md). A run that was stopped, by Ctrl-C, kill or a full disk, goes on where its\n"
      "last checkpoint stands when the same command is given again, and gives the same numbers as if it had never stopped.\n"
      "Each run writes a row into the ledger (minke ledger). MFU is the share of this machine's measured f32 peak.\n"
      "Example: minke recipe run recipes/nano.toml",
      "레시피(docs/recipes.md)대로 학습합니다. Ctrl-C, kill, 디스크 부족으로 멈춘 학습은 같은 명령을 다시 주면 마지막\n"
      "체크포인트에서 이어지며, 멈춘 적이 없을 때와 같은 값을 냅니다. 모든 실행은 원장에 남습니다(minke ledger).\n"
      "MFU는 이 컴퓨터에서 잰 f32 최고 속도에 대한 비율입니다.\n"
      "예: minke recipe run recipes/nano.toml"));
  command.callback([flags, &job] { job = [flags] { return run_train(*flags); }; });
}

}  // namespace

void add_train(CLI::App& app, Job& job) {
  add_train_flags(*app.add_subcommand("train", tr("train a model as a recipe says", "레시피대로 모델을 학습합니다")),
                  std::make_shared<TrainFlags>(), job);
}

void add_recipe(CLI::App& app, Job& job) {
  CLI::App* command = app.add_subcommand("recipe", tr("run the stages of a recipe", "레시피의 단계들을 실행합니다"));
  command->require_subcommand(1);
  add_train_flags(
      *command->add_subcommand("run", tr("run all stages, resuming", "모든 단계를 실행하고, 멈춘 곳에서 이어 갑니다")),
      std::make_shared<TrainFlags>(), job);
  add_compare(*command, job);
}

}  // namespace minke::cli
