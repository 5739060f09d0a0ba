// Stages that make what training reads: problems, a tokenizer, shards.
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "cli/interrupt.h"
#include "cli/language.h"
#include "cli/pipeline/work_stage.h"
#include "cli/terminal.h"
#include "cli/training/tokenizer_bars.h"
#include "data/make_shard.h"
#include "tasks/problem_row.h"

namespace minke::cli {
namespace {

constexpr size_t kMaxTemplateBytes = size_t{1} << 20;
constexpr size_t kPieceBytes = size_t{1} << 20;  // written at once

}  // namespace

WorkResult make_problems(const WorkStage& stage, const recipe::ProblemsPart& part) {
  const TaskMix mix(part.tasks, ProblemSplit::kTrain, part.seed);
  AtomicFile file = TRY(AtomicFile::create(stage.recipe.out + "/problems.jsonl"));
  ProgressBar bar(stage.recipe.name, ProgressBar::Unit::kItems);
  std::string rows;
  for (int64_t i = 0; i < part.n_problems; i++) {
    rows += dump_json(problem_row(mix.problem(i), part.form)) + "\n";
    if (rows.size() < kPieceBytes && i + 1 < part.n_problems) continue;
    if (interrupt_flag()) return std::nullopt;
    TRY(file.write(rows));
    rows.clear();
    bar.update(static_cast<uint64_t>(i) + 1, static_cast<uint64_t>(part.n_problems));
  }
  const uint64_t n_bytes = file.n_written();
  TRY(file.commit());
  return Json{{"problems", part.n_problems}, {"bytes", n_bytes}};
}

WorkResult make_tokenizer(const WorkStage& stage, const recipe::TokenizerPart& part) {
  TokenizerTrainingOptions options = part.options;
  if (!part.chat_template.empty()) options.chat_template = TRY(read_file(part.chat_template, kMaxTemplateBytes));
  TokenizerBars bars;
  std::optional<TrainedTokenizer> trained =
      TRY(train_tokenizer(options, part.texts, [&](TokenizerPhase phase, uint64_t done, uint64_t total) {
        bars.update(phase, done, total);
        return !interrupt_flag().load();
      }));
  if (!trained) return std::nullopt;
  TRY(write_tokenizer(trained->tokenizer, stage.recipe.out));
  return Json{{"vocab_size", trained->tokenizer.vocab_size()}, {"bytes", trained->n_bytes}};
}

WorkResult make_shards(const WorkStage& stage, const recipe::ShardsPart& part) {
  const Tokenizer tokenizer = TRY(load_tokenizer_for(part.tokenizer));
  MakeShardOptions options;
  options.inputs = part.texts;
  options.output = stage.recipe.out + "/data.shard";
  ProgressBar bar(stage.recipe.name, ProgressBar::Unit::kBytes);
  const std::optional<ShardInfo> info = TRY(make_shard(tokenizer, options, [&](uint64_t done, uint64_t total) {
    bar.update(done, total);
    return !interrupt_flag().load();
  }));
  if (!info) return std::nullopt;
  return Json{{"documents", info->n_documents}, {"tokens", info->n_tokens}, {"loss_tokens", info->n_loss_tokens}};
}

}  // namespace minke::cli
