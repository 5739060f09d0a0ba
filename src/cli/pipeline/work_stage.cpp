#include "cli/pipeline/work_stage.h"

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "cli/training/run_request.h"

namespace minke::cli {
namespace {

struct Runner {
  const WorkStage& stage;

  WorkResult operator()(const recipe::ProblemsPart& part) const { return make_problems(stage, part); }
  WorkResult operator()(const recipe::TokenizerPart& part) const { return make_tokenizer(stage, part); }
  WorkResult operator()(const recipe::ShardsPart& part) const { return make_shards(stage, part); }
  WorkResult operator()(const recipe::SamplesPart& part) const { return select_samples(stage, part); }
  WorkResult operator()(const recipe::EvalPart& part) const { return evaluate_models(stage, part); }
  WorkResult operator()(const recipe::ReportPart& part) const { return write_report(stage, part); }
  WorkResult operator()(std::monostate) const { CHECK(false, "a stage that trains"); }
};

}  // namespace

WorkResult run_work_stage(const recipe::Recipe& recipe, std::span<const recipe::Recipe> pipeline, bool resumes,
                          const Machine& machine) {
  const ledger::RunRequest request = TRY(run_request(recipe, resumes, machine.context.n_threads()));
  const std::string ledger_path = TRY(ledger::default_path());
  ledger::Recorder recorder = TRY(ledger::Recorder::start(ledger_path, request));
  WorkResult figures = std::visit(Runner{{recipe, pipeline, machine, recorder}}, recipe.work);
  if (!figures) {
    TRY(recorder.close(ledger::RunState::kFailed, figures.error().message));
  } else {
    TRY(recorder.close(*figures ? ledger::RunState::kFinished : ledger::RunState::kInterrupted));
  }
  return figures;
}

}  // namespace minke::cli
