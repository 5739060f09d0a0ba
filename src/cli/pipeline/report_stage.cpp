// The last stage: the model as others use it, with its card and curves.
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/commit.h"
#include "cli/pipeline/model_card.h"
#include "cli/pipeline/work_stage.h"
#include "convert/convert.h"
#include "ledger/ledger.h"
#include "model/arch/architecture.h"
#include "train/checkpoint/folders.h"
#include "train/report/curves.h"
#include "train/report/run_log.h"

namespace minke::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxFile = size_t{64} << 20;

Result<ledger::Runs> runs_of(const ledger::Runs& runs, const recipe::Recipe& recipe) {
  std::error_code failed;
  const std::string out = fs::absolute(recipe.out, failed).lexically_normal().string();
  if (failed) return error("{}: {}", recipe.out, failed.message());
  ledger::Runs found;
  for (const ledger::Run& run : runs) {
    if (run.facts.out == out && run.facts.recipe_hash == recipe.hash) found.push_back(run);
  }
  return found;
}

// Draws the stage's curves beside the card, when it has a log.
Result<std::string> draw_curves(const recipe::Recipe& recipe, const std::string& folder) {
  const std::string log = recipe.out + "/log.jsonl";
  if (!fs::exists(log)) return std::string();
  const std::vector<StepRecord> records = TRY(read_log(log));
  const std::string name = "curves-" + recipe.name + ".svg";
  TRY(write_file(folder + "/" + name, run_curves_svg(recipe.name, records)));
  return name;
}

Result<CardStage> card_stage(const recipe::Recipe& recipe, const ledger::Runs& runs, const std::string& folder) {
  const Json done = TRY(read_json_file(recipe.out + "/done.json", kMaxFile));
  const ledger::Runs own = TRY(runs_of(runs, recipe));
  CardStage stage{recipe.name, recipe::recipe_kind_name(recipe.kind), stage_outcome(done), "", ledger::sum_of(own)};
  stage.curves = TRY(draw_curves(recipe, folder));
  return stage;
}

Result<uint64_t> export_model(const std::string& from, const std::string& to, const WorkStage& stage) {
  ConvertOptions options;
  options.format = ModelFormat::kSafetensors;
  options.max_shard_bytes = 0;
  options.context = stage.machine.context;
  const ConvertReport report = TRY(convert_model(from, to, options));
  uint64_t n_bytes = 0;
  for (const auto& [path, bytes] : report.files) n_bytes += path.ends_with(".safetensors") ? bytes : 0;
  return n_bytes;
}

}  // namespace

WorkResult write_report(const WorkStage& stage, const recipe::ReportPart& part) {
  const std::string model = TRY(model_folder(part.model)), out = stage.recipe.out + "/model";
  std::error_code failed;
  fs::remove_all(out, failed);  // of a report that was stopped
  if (failed) return error("{}: cannot delete: {}", out, failed.message());
  Card card;
  card.title = part.title;
  card.name = part.name;
  card.questions = part.questions;
  card.notes = part.notes;
  card.evals = TRY(read_eval_table(part.eval + "/eval.json"));
  const auto row = std::find_if(card.evals.models.begin(), card.evals.models.end(),
                                [&](const EvaluatedModel& evaluated) { return evaluated.name == part.eval_model; });
  if (row == card.evals.models.end()) return error("{}/eval.json: has no model \"{}\"", part.eval, part.eval_model);
  card.row = static_cast<size_t>(row - card.evals.models.begin());
  card.config = TRY(read_hf_config(model + "/config.json"));
  card.n_bytes = TRY(export_model(model, out, stage));
  const std::string ledger_path = TRY(ledger::default_path());
  const ledger::Runs runs = TRY(ledger::read_runs(ledger_path));
  for (const recipe::Recipe& other : stage.pipeline) {
    if (other.out == stage.recipe.out) break;
    card.stages.push_back(TRY(card_stage(other, runs, out)));
  }
  card.cpu = runs.empty() ? "" : runs.back().facts.cpu;
  card.commit = kCommit;
  Digest digest = Digest::sha256();
  digest.update(TRY(read_file(out + "/model.safetensors", size_t{4} << 30)));
  card.weights_digest = digest.finish_hex();
  TRY(write_file(out + "/README.md", card_markdown(card)));
  fs::copy_file(part.eval + "/eval.json", out + "/eval.json", fs::copy_options::overwrite_existing);
  return Json{{"bytes", card.n_bytes}, {"weights_sha256", card.weights_digest}};
}

}  // namespace minke::cli
