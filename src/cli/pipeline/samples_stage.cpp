// Rejection sampling: the parent's right answers as training data. Problems are asked in parts; a part that is done lies in a
// file of its own, so that a stage that was stopped goes on behind it, and the parts become answers.jsonl at the end.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "cli/interrupt.h"
#include "cli/language.h"
#include "cli/pipeline/work_stage.h"
#include "cli/terminal.h"
#include "train/checkpoint/folders.h"
#include "train/loop/flops.h"
#include "train/rl/answer_selection.h"

namespace minke::cli {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kPartProblems = 256;
constexpr size_t kMaxPartBytes = size_t{1} << 30;

struct Part {
  SelectionCounts counts;
  double flops = 0;
  std::string rows;
};

constexpr std::pair<const char*, int64_t SelectionCounts::*> kCounts[] = {{"problems", &SelectionCounts::n_problems},
                                                                          {"solved", &SelectionCounts::n_solved},
                                                                          {"answers", &SelectionCounts::n_answers},
                                                                          {"right", &SelectionCounts::n_right},
                                                                          {"kept", &SelectionCounts::n_kept},
                                                                          {"tokens", &SelectionCounts::n_tokens},
                                                                          {"kept_tokens", &SelectionCounts::n_kept_tokens}};

Json part_json(const Part& part) {
  Json json;
  for (const auto& [key, count] : kCounts) json[key] = part.counts.*count;
  json["flops"] = part.flops;
  json["rows"] = part.rows;
  return json;
}

Result<Part> read_part(const std::string& path) {
  const Json json = TRY(read_json_file(path, kMaxPartBytes));
  const auto damaged = [&] { return error("{}: not a part of this stage; delete the file to make it again", path); };
  if (!json.is_object() || !json.contains("rows") || !json["rows"].is_string()) return damaged();
  Part part;
  for (const auto& [key, count] : kCounts) {
    if (!json.contains(key) || !json[key].is_number_unsigned()) return damaged();
    part.counts.*count = json[key].get<int64_t>();
  }
  if (!json.contains("flops") || !json["flops"].is_number()) return damaged();
  part.flops = json["flops"].get<double>();
  part.rows = json["rows"].get<std::string>();
  return part;
}

void add(SelectionCounts& sum, const SelectionCounts& more) {
  for (const auto& [key, count] : kCounts) sum.*count += more.*count;
}

// Asks the problems of a part; nothing when Ctrl-C ended it.
Result<std::optional<Part>> make_part(RolloutMaker& maker, const TrainingFlops& flops, const recipe::SamplesPart& options,
                                      const TaskMix& mix, int64_t first, ProgressBar& bar) {
  std::vector<Problem> problems;
  for (int64_t i = first; i < std::min(first + kPartProblems, options.n_problems); i++) problems.push_back(mix.problem(i));
  RolloutOptions rollout;
  rollout.n_samples = options.n_samples;
  rollout.max_new_tokens = options.max_new_tokens;
  rollout.temperature = options.temperature;
  rollout.seed = mix_seed(options.seed, static_cast<uint64_t>(first));
  const Grade grade = [&](const Problem& problem, std::string_view content) -> Result<double> {
    return mix.grade(problem, content);
  };
  const auto wants_stop = [&](int64_t n_done) {
    bar.update(static_cast<uint64_t>(first * options.n_samples + n_done),
               static_cast<uint64_t>(options.n_problems * options.n_samples));
    return interrupt_flag().load();
  };
  const std::optional<std::vector<Rollout>> made = TRY(maker.make(problems, rollout, grade, wants_stop));
  if (!made) return std::optional<Part>{};
  Part part;
  for (const Rollout& r : *made) {
    const std::array<int64_t, 1> length = {static_cast<int64_t>(r.prompt.size() + r.answer.size()) - 1};
    part.flops += flops.of(length) / 3;  // forward alone
  }
  part.rows = selected_rows(problems, *made, {options.n_kept, options.min_language}, part.counts);
  return std::optional(std::move(part));
}

std::string part_path(const std::string& out, int64_t first) {
  return fmt::format("{}/part-{:06}.json", out, first / kPartProblems);
}

}  // namespace

WorkResult select_samples(const WorkStage& stage, const recipe::SamplesPart& options) {
  const std::string folder = TRY(model_folder(stage.recipe.parent)), &out = stage.recipe.out;
  const Tokenizer tokenizer = TRY(load_tokenizer_for(folder));
  std::unique_ptr<Model> model = TRY(Model::load(folder, {.pack = &stage.machine.context, .mtp = false}));
  RolloutMaker maker = TRY(RolloutMaker::create(*model, tokenizer, stage.machine.context));
  const TaskMix mix(options.tasks, ProblemSplit::kTrain, options.seed);
  const TrainingFlops flops(model->config());
  AtomicFile file = TRY(AtomicFile::create(out + "/answers.jsonl"));
  ProgressBar bar(stage.recipe.name, ProgressBar::Unit::kItems);
  SelectionCounts counts;
  int64_t n_tokens = 0;  // by this process
  double done_flops = 0;
  for (int64_t first = 0; first < options.n_problems; first += kPartProblems) {
    const std::string path = part_path(out, first);
    std::optional<Part> part;
    if (fs::exists(path)) {
      part = TRY(read_part(path));
    } else {
      part = TRY(make_part(maker, flops, options, mix, first, bar));
      if (!part) return std::nullopt;
      TRY(write_file(path, dump_json(part_json(*part)) + "\n"));
      n_tokens += part->counts.n_tokens;
      done_flops += part->flops;
      TRY(stage.ledger.update(n_tokens, done_flops));
    }
    add(counts, part->counts);
    TRY(file.write(part->rows));
  }
  if (counts.n_kept == 0) {
    return error("{}: none of {} answers may be kept: {} are right; the parent is not good enough at these tasks", folder,
                 counts.n_answers, counts.n_right);
  }
  TRY(file.commit());
  for (int64_t first = 0; first < options.n_problems; first += kPartProblems) fs::remove(part_path(out, first));
  Json figures;
  for (const auto& [key, count] : kCounts) figures[key] = counts.*count;
  return figures;
}

}  // namespace minke::cli
