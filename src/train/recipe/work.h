// Stages of a recipe that train nothing: they make the data that training stages learn from, and tell what those came to.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/toml_section.h"
#include "tasks/problem_row.h"
#include "tokenizer/train/trainer.h"
#include "train/rl/task_mix.h"

namespace minke::recipe {

// problems.jsonl: problems with a thought and an answer, from the train split.
struct ProblemsPart {
  std::vector<TaskShare> tasks;
  uint64_t seed = 0;
  int64_t n_problems = 0;
  ProblemForm form = ProblemForm::kText;
};

// tokenizer.json and tokenizer_config.json.
struct TokenizerPart {
  std::vector<std::string> texts;  // files
  TokenizerTrainingOptions options;
  std::string chat_template;  // a file, or empty
};

// data.shard.
struct ShardsPart {
  std::vector<std::string> texts;  // files
  std::string tokenizer;           // folder
};

// answers.jsonl: the right answers of the parent to problems of the train split. Rejection sampling, and the teacher's part of
// distillation.
struct SamplesPart {
  std::vector<TaskShare> tasks;
  uint64_t seed = 0;  // of the problems and the draws
  int64_t n_problems = 0;
  int64_t n_samples = 0;  // answers to each
  int64_t n_kept = 0;     // of them at most
  int64_t max_new_tokens = 0;
  double temperature = 0;
  double min_language = 0;  // share of the thought's words that are of the problem's language
};

struct EvalModelPart {
  std::string name, path;
};

// eval.json: greedy answers to problems of the eval split.
struct EvalPart {
  std::vector<EvalModelPart> models;
  std::vector<TaskShare> tasks;  // whose weights are not asked for: every kind has n_problems
  uint64_t seed = 0;
  int64_t n_problems = 0;
  int64_t max_new_tokens = 0;
};

// model/: a model with its card: what made it, what it can do, what it cost.
struct ReportPart {
  std::string title;
  std::string name;                    // of the folder that it will be published in: the card's commands have it
  std::string model;                   // the folder of the run that made it
  std::string eval;                    // the folder of an eval stage
  std::string eval_model;              // the model's name there
  std::vector<std::string> questions;  // that a reader may ask it first
  std::vector<std::string> notes;      // what a reader should know besides
};

using WorkPart = std::variant<std::monostate, ProblemsPart, TokenizerPart, ShardsPart, SamplesPart, EvalPart, ReportPart>;

enum class RecipeKind : uint8_t {
  kPretrain,
  kSft,
  kGrpo,
  kDistill,  // train
  kProblems,
  kTokenizer,
  kShards,
  kSamples,
  kEval,
  kReport,  // work
};

// Reads the section of the kind, which has its name; nothing for kinds that train.
WorkPart read_work(RecipeKind kind, toml_file::TomlSection& root);
// [{ task, language, weight }], by difficulty and language; weight only where it means something.
void read_tasks(toml_file::TomlSection& section, std::vector<TaskShare>& tasks, bool has_weights);
// The paths of a part, to be joined with the folder of the file.
std::vector<std::string*> paths_of(WorkPart& work);

}  // namespace minke::recipe
