#include "train/loop/training_run.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "format/folder.h"
#include "train/loop/policy_lesson.h"
#include "train/loop/settings.h"
#include "train/loop/shard_lesson.h"

namespace minke {
namespace {

namespace fs = std::filesystem;

// What travels with a model from folder to folder.
constexpr const char* kTokenizerFiles[] = {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                                           "chat_template.jinja", "generation_config.json"};
constexpr size_t kMaxTokenizerFile = size_t{256} << 20;

Result<std::vector<CheckpointFile>> read_tokenizer_files(const std::string& folder) {
  std::vector<CheckpointFile> files;
  for (const char* name : kTokenizerFiles) {
    const std::string path = path_in(folder, name);
    if (!fs::exists(path)) continue;
    files.push_back({name, TRY(read_file(path, kMaxTokenizerFile))});
  }
  if (files.empty() || files[0].name != kTokenizerFiles[0]) {
    return error("{}: no tokenizer.json; a model is trained with the tokenizer that its data was made with", folder);
  }
  return files;
}

bool is_gguf_name(const std::string& path) { return path.ends_with(".gguf"); }

AdapterConfig adapter_config(const recipe::LoraPart& part) { return {part.rank, part.alpha, part.rslora, part.targets}; }

Result<std::unique_ptr<Lesson>> open_lesson(const recipe::Recipe& recipe, const LessonTools& tools, const std::string& parent) {
  if (!recipe.rl) return ShardLesson::open(recipe, tools);
  const std::string reference = recipe.rl->teacher.empty() ? parent : TRY(model_folder(recipe.rl->teacher));
  return PolicyLesson::open(recipe, tools, reference);
}

}  // namespace

TrainingRun::TrainingRun(const recipe::Recipe& recipe, const RunSetup& setup, const Context& context)
    : recipe_(recipe), setup_(setup), context_(context), guard_(spike_guard_options(recipe.optimizer)) {}

Result<std::unique_ptr<TrainingRun>> TrainingRun::open(const recipe::Recipe& recipe, const RunSetup& setup,
                                                       const Context& context) {
  std::unique_ptr<TrainingRun> run(new TrainingRun(recipe, setup, context));
  run->lock_.emplace(TRY(RunLock::take(recipe.out)));
  TRY(remove_leftovers(recipe.out));
  TRY(recipe.lora ? run->make_adapters() : run->make_model());
  run->lesson_ =
      TRY(open_lesson(recipe, {*run->model_, *run->parameters_, *run->pass_, *run->tokenizer_, context}, run->state_.parent));
  TRY(run->resume());
  return run;
}

Status TrainingRun::make_model() {
  std::unique_ptr<Model> parent;
  if (recipe_.parent.empty()) {
    ModelConfig config = TRY(read_hf_config(recipe_.model.config));
    model_ = Model::create(std::move(config));
    tokenizer_files_ = TRY(read_tokenizer_files(recipe_.model.tokenizer));
    tokenizer_ = TRY(Tokenizer::from_directory(recipe_.model.tokenizer));
  } else {
    state_.parent = TRY(model_folder(recipe_.parent));
    parent = TRY(Model::load(state_.parent));
    model_ = Model::create(parent->config());
    tokenizer_files_ = TRY(read_tokenizer_files(state_.parent));
    tokenizer_ = TRY(Tokenizer::from_directory(state_.parent));
  }
  TRY(check_model());
  const ModelConfig& c = model_->config();
  parameters_ = TRY(ParameterStore::create(c, model_->mutable_weights(), {recipe_.model.dtype, recipe_.model.master_weights}));
  if (parent != nullptr) {
    TRY(parameters_->copy_from(*parent, context_));
  } else {
    parameters_->initialize(recipe_.seed, recipe_.model.init_std, context_);
  }
  optimizer_ = TRY(Optimizer::create(parameters_->parameters(), optimizer_options(recipe_.optimizer)));
  pass_.emplace(TRY(TrainingPass::create(*model_)));
  return {};
}

// The parent as it lies in its files, and adapters on it.
Status TrainingRun::make_adapters() {
  // A run goes on with the parent that it began with, whatever the parent's folder has got since.
  if (TRY(list_checkpoints(recipe_.out)).empty()) {
    state_.parent = is_gguf_name(recipe_.parent) ? recipe_.parent : TRY(model_folder(recipe_.parent));
  } else {
    const Checkpoint checkpoint = TRY(open_latest_checkpoint(recipe_.out, setup_.if_damaged));
    state_.parent = checkpoint.state.parent;
  }
  model_ = TRY(Model::load(state_.parent, {.mtp = recipe_.mtp.lambda > 0 || recipe_.mtp.later_lambda > 0}));
  if (is_gguf_name(state_.parent)) {
    tokenizer_ = TRY(Tokenizer::from_gguf(model_->files().gguf, state_.parent));
  } else {
    tokenizer_files_ = TRY(read_tokenizer_files(state_.parent));
    tokenizer_ = TRY(Tokenizer::from_directory(state_.parent));
  }
  TRY(check_model());
  pass_.emplace(TRY(TrainingPass::create(*model_)));
  parameters_ = TRY_IN("[lora]", ParameterStore::create_adapters(*model_, adapter_config(*recipe_.lora),
                                                                 {recipe_.model.dtype, recipe_.model.master_weights}));
  parameters_->initialize_adapters(recipe_.seed, context_);
  optimizer_ = TRY(Optimizer::create(parameters_->parameters(), optimizer_options(recipe_.optimizer)));
  return {};
}

// What the recipe asks for and the model does not have.
Status TrainingRun::check_model() const {
  const ModelConfig& c = model_->config();
  if ((recipe_.moe.balance_alpha > 0 || recipe_.moe.bias_update_speed > 0) && c.moe.n_routed_experts == 0) {
    return error("[moe] balance_alpha and bias_update_speed: the model has no experts; set both to 0");
  }
  if (recipe_.moe.bias_update_speed > 0 && !c.moe.has_router_bias) {
    return error("[moe] bias_update_speed: the model's router has no bias (topk_method \"noaux_tc\" has); set it to 0");
  }
  if (recipe_.mtp.lambda > 0 && c.n_mtp_layers == 0) {
    return error("[mtp] lambda: the model has no layer of multi-token prediction (num_nextn_predict_layers); set it to 0");
  }
  return {};
}

Status TrainingRun::resume() {
  const std::vector<CheckpointFolder> checkpoints = TRY(list_checkpoints(recipe_.out));
  state_.recipe_hash = recipe_.hash;
  if (!checkpoints.empty()) {
    const Checkpoint checkpoint = TRY(open_latest_checkpoint(recipe_.out, setup_.if_damaged));
    if (checkpoint.state.recipe_hash != recipe_.hash) {
      return error("{}: filled by another recipe (or this one before it was changed); choose another out, or remove the folder",
                   recipe_.out);
    }
    TRY(restore_checkpoint(checkpoint, *parameters_, *optimizer_));
    state_ = checkpoint.state;
    optimizer_->set_n_steps(state_.optimizer_steps);
    guard_.set_norms(state_.grad_norms);
    TRY(lesson_->seek(state_.data_cursor, checkpoint.path));
    saved_step_ = state_.step;
  }
  first_ = {state_.step, state_.tokens, position(), state_.flops};
  return {};
}

Result<RunEnd> TrainingRun::run(const RunHooks& hooks) {
  while (!is_finished()) {
    const std::optional<StepRecord> record = TRY(step(hooks));
    if (!record) {
      if (saved_step_ != state_.step && state_.step > 0) TRY(save());
      return RunEnd::kStopped;
    }
  }
  if (saved_step_ != state_.step) TRY(save());
  return RunEnd::kFinished;
}

Status TrainingRun::save() {
  state_.optimizer_steps = optimizer_->n_steps();
  state_.grad_norms = guard_.norms();
  state_.data_cursor = lesson_->position();
  std::string adapter;
  if (recipe_.lora) {
    const std::string base = fs::absolute(state_.parent).lexically_normal().string();
    adapter = write_adapter_config(adapter_config(*recipe_.lora), model_->config(), base);
  }
  TRY(write_checkpoint(recipe_.out, state_, {model_->config(), *parameters_, *optimizer_, tokenizer_files_, adapter}));
  saved_step_ = state_.step;
  TRY(prune_checkpoints(recipe_.out, {recipe_.checkpoint.keep_last, recipe_.checkpoint.keep_best}));
  return {};
}

}  // namespace minke
