#include "train/recipe/work.h"

#include "tasks/task_spec.h"

namespace minke::recipe {
namespace {

using toml_file::kFraction;
using toml_file::kPositive;
using toml_file::TomlSection;

constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kLanguages = {
    {{"en", "en"}, {"ko", "ko"}, {"both", "both"}}};
constexpr int64_t kMaxProblems = 100'000'000, kMaxTokens = 1 << 20;

void read_texts(TomlSection& section, std::vector<std::string>& texts) {
  section.texts("texts", texts);
  if (texts.empty()) section.problem("texts", "expected at least one file");
}

ProblemsPart read_problems(TomlSection section) {
  ProblemsPart part;
  read_tasks(section, part.tasks, true);
  section.seed("seed", part.seed);
  section.integer("n_problems", part.n_problems, 1, kMaxProblems);
  section.choice<ProblemForm>("form", part.form, kProblemForms);
  section.finish();
  return part;
}

TokenizerPart read_tokenizer(TomlSection section) {
  TokenizerPart part;
  read_texts(section, part.texts);
  section.integer("vocab_size", part.options.vocab_size, 256, 1 << 22);
  section.text("pre", part.options.pre);
  section.text("bos", part.options.bos.emplace());
  section.text("eos", part.options.eos.emplace());
  section.texts("special", part.options.special);
  section.text("chat_template", part.chat_template, true);
  section.finish();
  return part;
}

ShardsPart read_shards(TomlSection section) {
  ShardsPart part;
  read_texts(section, part.texts);
  section.text("tokenizer", part.tokenizer);
  section.finish();
  return part;
}

SamplesPart read_samples(TomlSection section) {
  SamplesPart part;
  read_tasks(section, part.tasks, true);
  section.seed("seed", part.seed);
  section.integer("n_problems", part.n_problems, 1, kMaxProblems);
  section.integer("n_samples", part.n_samples, 1, 1024);
  section.integer("n_kept", part.n_kept, 1, std::max<int64_t>(1, part.n_samples));
  section.integer("max_new_tokens", part.max_new_tokens, 1, kMaxTokens);
  section.number("temperature", part.temperature, {.min = 0, .max = 100});
  if (part.temperature == 0 && part.n_samples > 1) {
    section.problem("temperature", "expected a number above 0 with several n_samples: greedy answers are all the same");
  }
  section.number("min_language", part.min_language, kFraction);
  section.finish();
  return part;
}

EvalPart read_eval(TomlSection section) {
  EvalPart part;
  for (TomlSection& model : section.tables("models")) {
    EvalModelPart& row = part.models.emplace_back();
    model.text("name", row.name);
    model.text("path", row.path);
    model.finish();
  }
  read_tasks(section, part.tasks, false);
  section.seed("seed", part.seed);
  section.integer("n_problems", part.n_problems, 1, kMaxProblems);
  section.integer("max_new_tokens", part.max_new_tokens, 1, kMaxTokens);
  section.finish();
  return part;
}

ReportPart read_report(TomlSection section) {
  ReportPart part;
  section.text("title", part.title);
  section.text("name", part.name);
  section.text("model", part.model);
  section.text("eval", part.eval);
  section.text("eval_model", part.eval_model);
  section.texts("questions", part.questions);
  section.texts("notes", part.notes);
  section.finish();
  return part;
}

}  // namespace

WorkPart read_work(RecipeKind kind, TomlSection& root) {
  switch (kind) {
    case RecipeKind::kProblems:
      return read_problems(root.section("problems"));
    case RecipeKind::kTokenizer:
      return read_tokenizer(root.section("tokenizer"));
    case RecipeKind::kShards:
      return read_shards(root.section("shards"));
    case RecipeKind::kSamples:
      return read_samples(root.section("samples"));
    case RecipeKind::kEval:
      return read_eval(root.section("eval"));
    case RecipeKind::kReport:
      return read_report(root.section("report"));
    case RecipeKind::kPretrain:
    case RecipeKind::kSft:
    case RecipeKind::kGrpo:
    case RecipeKind::kDistill:
      break;
  }
  return {};
}

void read_tasks(toml_file::TomlSection& section, std::vector<TaskShare>& tasks, bool has_weights) {
  for (TomlSection& row : section.tables("tasks")) {
    std::string spec;
    std::string_view language = "en";
    double weight = 1;
    row.text("task", spec);
    row.choice<std::string_view>("language", language, kLanguages);
    if (has_weights) row.number("weight", weight, kPositive);
    if (!has_weights) row.unused({"weight"}, "an evaluation, which asks as many of every kind");
    row.finish();
    if (spec.empty()) continue;
    const Result<std::vector<TaskSource>> sources = parse_task_specs(std::span(&spec, 1));
    if (!sources) {
      row.problem("task", sources.error().message);
      continue;
    }
    const std::vector<Tongue> tongues = tongues_of(language);
    const double share = weight / static_cast<double>(sources->size() * tongues.size());
    for (const TaskSource& source : *sources) {
      for (Tongue tongue : tongues) tasks.push_back({source.task, source.difficulty, tongue, share});
    }
  }
}

std::vector<std::string*> paths_of(WorkPart& work) {
  std::vector<std::string*> paths;
  const auto add = [&](std::vector<std::string>& more) {
    for (std::string& path : more) paths.push_back(&path);
  };
  if (auto* part = std::get_if<TokenizerPart>(&work)) {
    add(part->texts);
    paths.push_back(&part->chat_template);
  } else if (auto* shards = std::get_if<ShardsPart>(&work)) {
    add(shards->texts);
    paths.push_back(&shards->tokenizer);
  } else if (auto* eval = std::get_if<EvalPart>(&work)) {
    for (EvalModelPart& model : eval->models) paths.push_back(&model.path);
  } else if (auto* report = std::get_if<ReportPart>(&work)) {
    for (std::string* path : {&report->model, &report->eval}) paths.push_back(path);
  }
  return paths;
}

}  // namespace minke::recipe
