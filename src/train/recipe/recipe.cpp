#include "train/recipe/recipe.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "base/check.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/toml_section.h"

namespace minke::recipe {
namespace {

namespace fs = std::filesystem;

using toml_file::Bounds;
using toml_file::kBelowOne;
using toml_file::kFraction;
using toml_file::kNotNegative;
using toml_file::kPositive;
using toml_file::Problems;
using toml_file::SharedSections;
using toml_file::TomlSection;

constexpr size_t kMaxRecipeBytes = size_t{1} << 20;

template <typename E>
using Names = std::pair<std::string_view, E>;

constexpr std::array<Names<RecipeKind>, 10> kKinds = {{{"pretrain", RecipeKind::kPretrain},
                                                       {"sft", RecipeKind::kSft},
                                                       {"grpo", RecipeKind::kGrpo},
                                                       {"distill", RecipeKind::kDistill},
                                                       {"problems", RecipeKind::kProblems},
                                                       {"tokenizer", RecipeKind::kTokenizer},
                                                       {"shards", RecipeKind::kShards},
                                                       {"samples", RecipeKind::kSamples},
                                                       {"eval", RecipeKind::kEval},
                                                       {"report", RecipeKind::kReport}}};
constexpr std::array<Names<DType>, 2> kDTypes = {{{"f32", DType::kF32}, {"bf16", DType::kBF16}}};
constexpr std::array<Names<RowPacking>, 3> kPackings = {
    {{"stream", RowPacking::kStream}, {"isolated", RowPacking::kIsolated}, {"whole", RowPacking::kWhole}}};
constexpr std::array<Names<OptimizerKind>, 2> kOptimizers = {
    {{"adamw", OptimizerKind::kAdamW}, {"muon", OptimizerKind::kMuon}}};
constexpr std::array<Names<MuonScaling>, 2> kMuonScales = {
    {{"spectral", MuonScaling::kSpectral}, {"match_adamw", MuonScaling::kMatchAdamW}}};
constexpr std::array<Names<ScheduleKind>, 4> kSchedules = {{{"constant", ScheduleKind::kConstant},
                                                            {"wsd", ScheduleKind::kWsd},
                                                            {"cosine", ScheduleKind::kCosine},
                                                            {"v3", ScheduleKind::kV3}}};
constexpr std::array<Names<DecayCurve>, 3> kCurves = {
    {{"linear", DecayCurve::kLinear}, {"cosine", DecayCurve::kCosine}, {"root", DecayCurve::kRoot}}};

constexpr std::array<Names<AdvantageScale>, 3> kAdvantageScales = {
    {{"group_std", AdvantageScale::kGroupStd}, {"batch_std", AdvantageScale::kBatchStd}, {"none", AdvantageScale::kNone}}};
constexpr std::array<Names<RatioOf>, 2> kRatios = {{{"token", RatioOf::kToken}, {"sequence", RatioOf::kSequence}}};
constexpr std::array<Names<Reduction>, 3> kReductions = {
    {{"rollout_mean", Reduction::kRolloutMean}, {"token_mean", Reduction::kTokenMean}, {"constant", Reduction::kConstant}}};
constexpr std::array<Names<RewardKind>, 4> kRewards = {{{"accuracy", RewardKind::kAccuracy},
                                                        {"format", RewardKind::kFormat},
                                                        {"language", RewardKind::kLanguage},
                                                        {"length", RewardKind::kLength}}};

template <typename E, size_t N>
std::string name_in(const std::array<Names<E>, N>& names, E value) {
  auto found = std::find_if(names.begin(), names.end(), [&](const auto& name) { return name.second == value; });
  return std::string(found->first);
}

void read_model(TomlSection section, ModelPart& model, const std::string& parent) {
  if (parent.empty()) {
    section.text("config", model.config);
    section.text("tokenizer", model.tokenizer);
    section.number("init_std", model.init_std, kPositive);
  } else {
    section.unused({"config", "tokenizer", "init_std"}, "recipe.parent, which has its own");
  }
  section.choice<DType>("dtype", model.dtype, kDTypes);
  section.flag("master_weights", model.master_weights);
  if (model.master_weights && model.dtype == DType::kF32) {
    section.problem("master_weights", "expected false with dtype = \"f32\": the weights are their own f32 copies");
  }
  section.flag("recompute", model.recompute);
  section.finish();
}

LoraPart read_lora(TomlSection section) {
  LoraPart lora;
  section.integer("rank", lora.rank, 1, 4096);
  section.number("alpha", lora.alpha, kPositive);
  section.flag("rslora", lora.rslora);
  section.texts("targets", lora.targets);
  double dropout = 0;
  section.number("dropout", dropout, kNotNegative);
  if (dropout != 0) section.problem("dropout", "expected 0.0: training here uses no dropout");
  if (lora.targets.empty()) section.problem("targets", "expected the names of matrices, such as [\"q_proj\", \"v_proj\"]");
  section.finish();
  return lora;
}

void read_data(TomlSection section, DataPart& data) {
  for (TomlSection& source : section.tables("train")) {
    DataSourcePart& part = data.train.emplace_back();
    source.text("path", part.path);
    source.number("weight", part.weight, kPositive);
    source.finish();
  }
  section.text("validation", data.validation, true);
  if (data.validation.empty()) {
    section.number("validation_fraction", data.validation_fraction, {.min = 0, .max = 0.5, .above_min = true});
  } else {
    section.unused({"validation_fraction"}, "a validation shard");
  }
  section.integer("sequence_length", data.sequence_length, 2);
  section.choice<RowPacking>("packing", data.packing, kPackings);
  if (data.packing == RowPacking::kWhole) {
    section.flag("cut_long", data.cut_long);
  } else {
    section.unused({"cut_long"}, fmt::format("packing = \"{}\"", name_in(kPackings, data.packing)));
  }
  section.seed("seed", data.seed);
  section.finish();
}

void read_batch(TomlSection section, BatchPart& batch, int64_t sequence_length) {
  section.integer("start_tokens", batch.start_tokens, 1);
  section.integer("end_tokens", batch.end_tokens, 1);
  section.integer("over_tokens", batch.over_tokens, 0);
  section.integer("micro_rows", batch.micro_rows, 1);
  if (batch.end_tokens < batch.start_tokens) {
    section.problem("end_tokens",
                    fmt::format("expected at least start_tokens = {}, got {}", batch.start_tokens, batch.end_tokens));
  }
  for (auto [key, tokens] : {std::pair("start_tokens", batch.start_tokens), std::pair("end_tokens", batch.end_tokens)}) {
    if (sequence_length > 0 && tokens % sequence_length != 0) {
      section.problem(key, fmt::format("expected a multiple of data.sequence_length = {}, got {}", sequence_length, tokens));
    }
  }
  section.finish();
}

void read_rewards(TomlSection& section, RlPart& rl) {
  for (TomlSection& source : section.tables("rewards")) {
    RewardPart& part = rl.rewards.emplace_back();
    source.choice<RewardKind>("part", part.kind, kRewards);
    source.number("weight", part.weight, kPositive);
    source.finish();
  }
  const bool has_length =
      std::any_of(rl.rewards.begin(), rl.rewards.end(), [](const RewardPart& p) { return p.kind == RewardKind::kLength; });
  if (has_length) {
    section.integer("length_margin", rl.length_margin, 0, std::max<int64_t>(0, rl.max_new_tokens));
  } else {
    section.unused({"length_margin"}, "rewards that have no \"length\"");
  }
}

// What both ways to learn from one's own answers need: which problems, how they are answered.
void read_answers(TomlSection& section, RlPart& rl) {
  read_tasks(section, rl.tasks, true);
  section.seed("seed", rl.seed);
  section.integer("prompts", rl.prompts, 1, 100'000);
  section.integer("max_new_tokens", rl.max_new_tokens, 1, 1 << 20);
  section.number("temperature", rl.temperature, {.min = 0, .max = 100, .above_min = true});
  section.integer("micro_tokens", rl.micro_tokens, 1);
  section.integer("eval_problems", rl.eval_problems, 1, 1'000'000);
  rl.loss.max_length = rl.max_new_tokens;
}

RlPart read_distill(TomlSection section) {
  RlPart rl;
  section.text("teacher", rl.teacher);
  read_answers(section, rl);
  rl.group_size = rl.max_rounds = rl.inner_epochs = rl.updates = 1;
  rl.rewards = {{RewardKind::kAccuracy, 1.0}};
  section.finish();
  return rl;
}

RlPart read_rl(TomlSection section) {
  RlPart rl;
  read_answers(section, rl);
  section.integer("group_size", rl.group_size, 2, 1024);
  section.flag("drop_uniform", rl.drop_uniform);
  section.integer("max_rounds", rl.max_rounds, 1, 1000);
  if (!rl.drop_uniform && rl.max_rounds > 1)
    section.problem("max_rounds", "expected 1 with drop_uniform = false: no group is missing");
  section.integer("inner_epochs", rl.inner_epochs, 1, 100);
  section.integer("updates", rl.updates, 1, std::max<int64_t>(1, rl.prompts));
  section.choice<AdvantageScale>("advantage", rl.advantage.scale, kAdvantageScales);
  section.choice<RatioOf>("ratio", rl.loss.ratio, kRatios);
  section.choice<Reduction>("reduction", rl.loss.reduction, kReductions);
  section.number("clip_low", rl.loss.clip_low, {.min = 0, .max = 1, .above_min = true});
  section.number("clip_high", rl.loss.clip_high, kPositive);
  section.number("kl_coef", rl.loss.kl_coef, kNotNegative);
  read_rewards(section, rl);
  section.finish();
  return rl;
}

void read_muon(TomlSection& section, OptimizerPart& optimizer) {
  if (optimizer.kind != OptimizerKind::kMuon) {
    section.unused({"muon_momentum", "muon_nesterov", "muon_iterations", "muon_scale", "muon_lr_factor"}, "kind = \"adamw\"");
    return;
  }
  section.number("muon_momentum", optimizer.muon_momentum, kBelowOne);
  section.flag("muon_nesterov", optimizer.muon_nesterov);
  section.integer("muon_iterations", optimizer.muon_iterations, 1, 20);
  section.choice<MuonScaling>("muon_scale", optimizer.muon_scale, kMuonScales);
  section.number("muon_lr_factor", optimizer.muon_lr_factor, kPositive);
}

void read_optimizer(TomlSection section, OptimizerPart& optimizer) {
  section.choice<OptimizerKind>("kind", optimizer.kind, kOptimizers);
  section.number("lr", optimizer.lr, kPositive);
  section.number("beta1", optimizer.beta1, kBelowOne);
  section.number("beta2", optimizer.beta2, kBelowOne);
  section.number("eps", optimizer.eps, kPositive);
  section.number("weight_decay", optimizer.weight_decay, kNotNegative);
  section.choice<DType>("moments", optimizer.moments, kDTypes);
  section.number("clip_norm", optimizer.clip_norm, kNotNegative);
  section.number("skip_factor", optimizer.skip_factor, kNotNegative);
  if (optimizer.skip_factor > 0) {
    section.integer("skip_window", optimizer.skip_window, 1, 100'000);
    section.integer("skip_after", optimizer.skip_after, 1, 100'000);
    if (optimizer.skip_factor <= 1) section.problem("skip_factor", "expected 0, or a number above 1");
    if (optimizer.skip_after > optimizer.skip_window) {
      section.problem("skip_after", fmt::format("expected at most skip_window = {}", optimizer.skip_window));
    }
  } else {
    section.unused({"skip_window", "skip_after"}, "skip_factor = 0");
  }
  read_muon(section, optimizer);
  section.finish();
}

void read_wsd(TomlSection& section, SchedulePart& schedule) {
  section.number("decay_from", schedule.decay_from, kBelowOne);
  section.choice<DecayCurve>("decay_curve", schedule.decay_curve, kCurves);
}

void read_v3(TomlSection& section, SchedulePart& schedule, const Bounds& up_to_lr) {
  section.number("constant_until", schedule.constant_until, kFraction);
  section.number("cosine_until", schedule.cosine_until, {.min = schedule.constant_until, .max = 1, .above_min = true});
  section.number("middle_until", schedule.middle_until, {.min = schedule.cosine_until, .max = 1});
  section.number("middle_lr", schedule.middle_lr, up_to_lr);
}

void read_schedule(TomlSection section, SchedulePart& schedule, double lr, bool counts_steps) {
  section.choice<ScheduleKind>("kind", schedule.kind, kSchedules);
  section.integer(counts_steps ? "total_steps" : "total_tokens", schedule.total, 1);
  section.integer(counts_steps ? "warmup_steps" : "warmup_tokens", schedule.warmup, 0, std::max<int64_t>(0, schedule.total));
  std::string kind = fmt::format("kind = \"{}\"", name_in(kSchedules, schedule.kind));
  const Bounds up_to_lr{.min = 0, .max = lr};
  if (schedule.kind == ScheduleKind::kConstant) section.unused({"final_lr"}, kind);
  if (schedule.kind != ScheduleKind::kConstant) section.number("final_lr", schedule.final_lr, up_to_lr);
  if (schedule.kind != ScheduleKind::kWsd) section.unused({"decay_from", "decay_curve"}, kind);
  if (schedule.kind == ScheduleKind::kWsd) read_wsd(section, schedule);
  if (schedule.kind != ScheduleKind::kV3) {
    section.unused({"constant_until", "cosine_until", "middle_until", "middle_lr"}, kind);
  }
  if (schedule.kind == ScheduleKind::kV3) read_v3(section, schedule, up_to_lr);
  section.finish();
}

void read_losses(TomlSection& root, Recipe& recipe) {
  TomlSection moe = root.section("moe");
  moe.number("balance_alpha", recipe.moe.balance_alpha, kNotNegative);
  moe.number("bias_update_speed", recipe.moe.bias_update_speed, kNotNegative);
  moe.number("bias_until", recipe.moe.bias_until, kFraction);
  if (recipe.lora && recipe.moe.bias_update_speed > 0) {
    moe.problem("bias_update_speed", "expected 0.0 with [lora]: the routers' biases are weights of the parent, which stay");
  }
  moe.finish();
  TomlSection mtp = root.section("mtp");
  mtp.number("lambda", recipe.mtp.lambda, kNotNegative);
  mtp.number("later_lambda", recipe.mtp.later_lambda, kNotNegative);
  mtp.number("later_from", recipe.mtp.later_from, kFraction);
  mtp.finish();
}

void read_log(TomlSection section, LogPart& log, bool is_rl) {
  section.integer("every_steps", log.every_steps, 1);
  section.integer("validate_every_steps", log.validate_every_steps, 1);
  if (is_rl) {
    section.unused({"validation_batches"}, "kind = \"grpo\", whose rl.eval_problems says it");
  } else {
    section.integer("validation_batches", log.validation_batches, 1);
  }
  section.integer("sample_every_steps", log.sample_every_steps, 0);
  section.texts("sample_prompts", log.sample_prompts);
  section.integer("sample_tokens", log.sample_tokens, 0);
  if (log.sample_every_steps > 0 && (log.sample_prompts.empty() || log.sample_tokens == 0)) {
    section.problem("sample_every_steps", "expected 0, or sample_prompts and sample_tokens to go with it");
  }
  section.finish();
}

void read_cost(TomlSection cost, CostPart& part) {
  cost.number("money_per_hour", part.money_per_hour, kNotNegative);
  cost.text("currency", part.currency, true);
  cost.number("watts", part.watts, kNotNegative);
  if (part.money_per_hour > 0 && part.currency.empty()) {
    cost.problem("currency", "expected a name such as \"EUR\" for money_per_hour");
  }
  cost.finish();
}

void read_running(TomlSection& root, Recipe& recipe) {
  TomlSection checkpoint = root.section("checkpoint");
  checkpoint.integer("every_steps", recipe.checkpoint.every_steps, 1);
  checkpoint.integer("keep_last", recipe.checkpoint.keep_last, 1);
  checkpoint.flag("keep_best", recipe.checkpoint.keep_best);
  checkpoint.finish();
  read_log(root.section("log"), recipe.log, recipe.rl.has_value());
}

void set_values(Recipe& recipe, const Json& canonical) {
  recipe.canonical = dump_json(canonical);
  Digest digest = Digest::sha256();
  digest.update(recipe.canonical);
  recipe.hash = digest.finish_hex();
}

std::string quoted_kind(RecipeKind kind) { return fmt::format("kind = \"{}\"", name_in(kKinds, kind)); }

void read_head(TomlSection head, Recipe& recipe) {
  head.text("name", recipe.name);
  head.text("programme", recipe.programme);
  head.choice<RecipeKind>("kind", recipe.kind, kKinds);
  head.text("out", recipe.out);
  const bool makes_parent_answer = recipe.kind == RecipeKind::kSamples;
  if (trains(recipe.kind) || makes_parent_answer) {
    head.text("parent", recipe.parent, true);
  } else {
    head.unused({"parent"}, quoted_kind(recipe.kind));
  }
  if (trains(recipe.kind)) {
    head.seed("seed", recipe.seed);
  } else {
    head.unused({"seed"}, quoted_kind(recipe.kind));
  }
  const bool needs_parent = makes_parent_answer || (trains(recipe.kind) && recipe.kind != RecipeKind::kPretrain);
  if (needs_parent && recipe.parent.empty()) {
    head.problem("parent", fmt::format("expected a checkpoint or the folder of a run: {} goes on from trained weights",
                                       quoted_kind(recipe.kind)));
  }
  head.finish();
}

void read_training(TomlSection& root, Recipe& recipe) {
  read_model(root.section("model"), recipe.model, recipe.parent);
  if (root.contains("lora")) {
    recipe.lora = read_lora(root.section("lora"));
    if (recipe.kind != RecipeKind::kSft) {
      root.problem("lora", "expected recipe.kind = \"sft\": adapters are trained on top of a parent's weights");
    }
  }
  const std::string kind = quoted_kind(recipe.kind);
  if (recipe.kind == RecipeKind::kGrpo || recipe.kind == RecipeKind::kDistill) {
    const bool is_grpo = recipe.kind == RecipeKind::kGrpo;
    recipe.rl = is_grpo ? read_rl(root.section("rl")) : read_distill(root.section("distill"));
    root.unused({is_grpo ? "distill" : "rl", "data", "batch"}, kind);
  } else {
    root.unused({"rl", "distill"}, kind);
    read_data(root.section("data"), recipe.data);
    read_batch(root.section("batch"), recipe.batch, recipe.data.sequence_length);
  }
  read_optimizer(root.section("optimizer"), recipe.optimizer);
  read_schedule(root.section("schedule"), recipe.schedule, recipe.optimizer.lr, recipe.rl.has_value());
  read_losses(root, recipe);
  read_running(root, recipe);
}

Recipe read_stage(TomlSection& root, const Json& canonical) {
  Recipe recipe;
  read_head(root.section("recipe"), recipe);
  if (trains(recipe.kind)) {
    read_training(root, recipe);
  } else {
    recipe.work = read_work(recipe.kind, root);
  }
  read_cost(root.section("cost"), recipe.cost);
  root.finish();
  set_values(recipe, canonical);
  return recipe;
}

void resolve_paths(Recipe& recipe, const std::string& folder) {
  auto resolve = [&](std::string& path) {
    if (!path.empty()) path = (fs::path(folder) / path).lexically_normal().string();
  };
  for (std::string* path :
       {&recipe.out, &recipe.parent, &recipe.model.config, &recipe.model.tokenizer, &recipe.data.validation}) {
    resolve(*path);
  }
  for (DataSourcePart& source : recipe.data.train) resolve(source.path);
  if (recipe.rl) resolve(recipe.rl->teacher);
  for (std::string* path : paths_of(recipe.work)) resolve(*path);
}

}  // namespace

std::string recipe_kind_name(RecipeKind kind) { return name_in(kKinds, kind); }

bool trains(RecipeKind kind) { return kind <= RecipeKind::kDistill; }

Recipe with_seed(const Recipe& recipe, uint64_t seed) {
  Recipe out = recipe;
  out.seed = out.data.seed = seed;
  const std::string folder = "/seed-" + std::to_string(seed);
  out.out += folder;
  Result<Json> canonical = parse_json(recipe.canonical, "recipe");
  CHECK(canonical.has_value(), "canonical JSON is JSON");
  (*canonical)["recipe"]["seed"] = (*canonical)["data"]["seed"] = seed;
  (*canonical)["recipe"]["out"] = (*canonical)["recipe"]["out"].get<std::string>() + folder;
  set_values(out, *canonical);
  return out;
}

Result<std::vector<Recipe>> parse_recipes(std::string_view text, const std::string& where, const std::string& folder) {
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& e) {
    return error("{}:{}: not TOML: {}", where, e.source().begin.line, e.description());
  }
  Problems problems(where, "a recipe has every value written out");
  Json canonical;
  TomlSection root(problems, table, "", canonical);
  std::vector<Recipe> recipes;
  if (table.contains("stage")) {
    std::vector<TomlSection> stages = root.tables("stage");
    SharedSections shared{table};
    for (size_t i = 0; i < stages.size(); i++) {
      stages[i].stand_in(shared);
      recipes.push_back(read_stage(stages[i], canonical["stage"][i]));
    }
    for (const std::string& section : shared.wanted) {
      const bool is_there = root.contains(section), is_used = shared.used.contains(section);
      if (is_there && !is_used) root.problem(section, "no stage takes it: those that need one have their own; remove it");
    }
    root.finish();
  } else {
    recipes.push_back(read_stage(root, canonical));
  }
  TRY(problems.status());
  std::set<std::string> outs;
  for (Recipe& recipe : recipes) {
    resolve_paths(recipe, folder);
    if (!outs.insert(recipe.out).second) return error("{}: recipe.out: two stages write to {}", where, recipe.out);
  }
  return recipes;
}

Result<std::vector<Recipe>> read_recipes(const std::string& path) {
  std::string text = TRY(read_file(path, kMaxRecipeBytes));
  return parse_recipes(text, path, fs::path(path).parent_path().string());
}

}  // namespace minke::recipe
