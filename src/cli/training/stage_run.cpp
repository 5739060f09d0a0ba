#include "cli/training/stage_run.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "cli/interrupt.h"
#include "cli/language.h"
#include "cli/pipeline/work_stage.h"
#include "cli/table.h"
#include "cli/training/observer.h"
#include "train/recipe/stage.h"

namespace minke::cli {
namespace {

Result<StageResult> run_with_hooks(TrainingRun& run, TrainingObserver& observer) {
  std::atomic<bool>& interrupted = interrupt_flag();
  StageResult result;
  StepRecord last;
  RunHooks hooks;
  hooks.wants_stop = [&] { return interrupted.load(); };
  hooks.on_step = [&](const StepRecord& record) {
    last = record;
    for (const TextSample& sample : record.samples) {
      observer.progress().note(
          fmt::format("{} {}: {}|{}", tr("step", "단계"), record.step, sample.prompt, one_line(sample.text)));
    }
    if (record.validation_loss) {
      observer.progress().note(fmt::format("{} {}: {}", tr("step", "단계"), record.step, held_out_text(record)));
    }
    return observer.on_step(record);
  };
  result.end = TRY(run.run(hooks));
  if (last.step > 0) result.figures = step_json(last);
  return result;
}

Result<StageResult> train_stage(const recipe::Recipe& recipe, const RunSetup& setup, const Machine& machine) {
  std::unique_ptr<TrainingRun> run = TRY_IN(recipe.name, TrainingRun::open(recipe, setup, machine.context));
  if (run->first_step() > 0) {
    fmt::print(stderr, "{}: {} {}\n", recipe.name, tr("goes on after step", "이어서 시작하는 단계:"), run->first_step());
  }
  const TrainingStart start = {run->first_step(), run->first_tokens(), run->first_position(), run->first_flops(),
                               machine.context.n_threads()};
  const std::unique_ptr<TrainingObserver> observer = TRY(TrainingObserver::start(recipe, start));
  Result<StageResult> result = run_with_hooks(*run, *observer);
  if (!result) {
    TRY(observer->finish(ledger::RunState::kFailed, result.error().message));
    return result;
  }
  TRY(observer->finish(result->end == RunEnd::kFinished ? ledger::RunState::kFinished : ledger::RunState::kInterrupted));
  return result;
}

}  // namespace

Result<StageResult> run_stage(const recipe::Recipe& recipe, std::span<const recipe::Recipe> pipeline, const RunSetup& setup,
                              const Machine& machine) {
  const recipe::StageState state = TRY(recipe::stage_state(recipe));
  if (state == recipe::StageState::kDone) {
    fmt::print(stderr, "{}: {}\n", recipe.name, tr("finished already", "이미 끝났습니다"));
    return StageResult{};
  }
  if (state == recipe::StageState::kNew) TRY(recipe::begin_stage(recipe));
  StageResult result;
  if (recipe::trains(recipe.kind)) {
    result = TRY(train_stage(recipe, setup, machine));
  } else {
    const bool resumes = state == recipe::StageState::kStarted;
    std::optional<Json> figures = TRY_IN(recipe.name, run_work_stage(recipe, pipeline, resumes, machine));
    result.end = figures ? RunEnd::kFinished : RunEnd::kStopped;
    if (figures) result.figures = std::move(*figures);
  }
  if (result.end == RunEnd::kFinished) {
    TRY(recipe::finish_stage(recipe, result.figures.is_null() ? Json::object() : result.figures));
  }
  return result;
}

}  // namespace minke::cli
