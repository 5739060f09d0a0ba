// A stage of a recipe that trains nothing: it makes data, asks a model, or tells what other stages came to. Like stages that
// train it is in the ledger, can be stopped, and goes on where it stood.
#pragma once

#include <optional>
#include <span>

#include "base/error.h"
#include "base/json.h"
#include "cli/model_argument.h"
#include "ledger/recorder.h"
#include "train/recipe/recipe.h"

namespace minke::cli {

struct WorkStage {
  const recipe::Recipe& recipe;
  std::span<const recipe::Recipe> pipeline;  // all stages of the file
  const Machine& machine;
  ledger::Recorder& ledger;
};

// What done.json says of the stage; nothing when Ctrl-C ended it.
using WorkResult = Result<std::optional<Json>>;

WorkResult make_problems(const WorkStage& stage, const recipe::ProblemsPart& part);
WorkResult make_tokenizer(const WorkStage& stage, const recipe::TokenizerPart& part);
WorkResult make_shards(const WorkStage& stage, const recipe::ShardsPart& part);
WorkResult select_samples(const WorkStage& stage, const recipe::SamplesPart& part);
WorkResult evaluate_models(const WorkStage& stage, const recipe::EvalPart& part);
WorkResult write_report(const WorkStage& stage, const recipe::ReportPart& part);

// The stage's folder exists. Writes its row into the ledger.
WorkResult run_work_stage(const recipe::Recipe& recipe, std::span<const recipe::Recipe> pipeline, bool resumes,
                          const Machine& machine);

}  // namespace minke::cli
