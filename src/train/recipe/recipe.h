// A recipe: everything that decides a stage of training, every value written out. docs/recipes.md has the keys.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "tensor/dtype.h"
#include "train/recipe/work.h"
#include "train/rl/advantages.h"
#include "train/rl/policy_loss.h"
#include "train/rl/rewards.h"

namespace minke::recipe {

// Weights come from `parent`, or are random numbers in the shape of `config`.
struct ModelPart {
  std::string config;           // config.json in the layout of Hugging Face; empty with a parent
  std::string tokenizer;        // folder with tokenizer.json; empty with a parent
  double init_std = 0;          // 0 with a parent
  DType dtype = DType::kF32;    // of the weights: f32 or bf16
  bool master_weights = false;  // f32 copies of bf16 weights for the optimizer
  bool recompute = false;       // activations are computed again in the backward pass instead of kept
};

// Low-rank adapters are trained and the parent's weights stay as they are (model/training/adapter.h).
struct LoraPart {
  int64_t rank = 0;
  double alpha = 0;
  bool rslora = false;
  std::vector<std::string> targets;
};

struct DataSourcePart {
  std::string path;   // a shard
  double weight = 0;  // share of the rows
};

enum class RowPacking : uint8_t { kStream, kIsolated, kWhole };

struct DataPart {
  std::vector<DataSourcePart> train;
  std::string validation;          // a shard, or empty:
  double validation_fraction = 0;  // then so much of the documents of `train`
  int64_t sequence_length = 0;
  RowPacking packing = RowPacking::kIsolated;  // stream: documents see what stood before them
  bool cut_long = false;                       // whole: documents longer than a row lose their end, instead of an error
  uint64_t seed = 0;                           // of the order
};

struct BatchPart {
  int64_t start_tokens = 0;  // per step, growing linearly to end_tokens over the first over_tokens tokens
  int64_t end_tokens = 0;
  int64_t over_tokens = 0;
  int64_t micro_rows = 0;  // rows in memory at once; gradients of a step's rows are accumulated
};

enum class OptimizerKind : uint8_t { kAdamW, kMuon };
enum class MuonScaling : uint8_t { kSpectral, kMatchAdamW };

struct OptimizerPart {
  OptimizerKind kind = OptimizerKind::kAdamW;
  double lr = 0;  // the highest of the schedule
  double beta1 = 0;
  double beta2 = 0;
  double eps = 0;
  double weight_decay = 0;
  DType moments = DType::kF32;  // f32 or bf16
  double clip_norm = 0;         // of all gradients together; 0: no clipping
  // A step whose gradient norm is more than skip_factor times the median of the last skip_window norms is not taken, once
  // skip_after norms are known; factor 0: only steps that are not finite.
  double skip_factor = 0;
  int64_t skip_window = 0;
  int64_t skip_after = 0;
  // Muon for matrices, AdamW with the values above for the rest.
  double muon_momentum = 0;
  bool muon_nesterov = false;
  int64_t muon_iterations = 0;
  MuonScaling muon_scale = MuonScaling::kMatchAdamW;
  double muon_lr_factor = 0;
};

enum class ScheduleKind : uint8_t { kConstant, kWsd, kCosine, kV3 };
enum class DecayCurve : uint8_t { kLinear, kCosine, kRoot };

// Positions are in tokens, of grpo in steps (total_steps, warmup_steps); fractions are of the total.
struct SchedulePart {
  ScheduleKind kind = ScheduleKind::kConstant;
  int64_t warmup = 0;
  int64_t total = 0;  // the run ends there
  double final_lr = 0;
  double decay_from = 0;  // wsd: from here down to final_lr at the end
  DecayCurve decay_curve = DecayCurve::kLinear;
  // v3: constant until the first, cosine to middle_lr until the second, middle_lr until the third, final_lr to the end.
  double constant_until = 0;
  double cosine_until = 0;
  double middle_until = 0;
  double middle_lr = 0;
};

// Learning from the model's own answers: rewarded by a program (grpo), or brought near to a teacher's distribution (distill,
// which uses one update of answers without rewards).
struct RlPart {
  std::vector<TaskShare> tasks;
  std::string teacher;        // of distill: a checkpoint, or the folder of a run
  uint64_t seed = 0;          // of the problems and the draws
  int64_t prompts = 0;        // groups that a step learns from
  int64_t group_size = 0;     // answers to each
  int64_t max_rounds = 0;     // how often `prompts` problems are asked until there are enough groups
  bool drop_uniform = false;  // groups that are all right or all wrong are not learnt from
  int64_t max_new_tokens = 0;
  double temperature = 0;
  int64_t inner_epochs = 0;  // how often the answers are learnt from
  int64_t updates = 0;       // of the optimizer in an epoch
  int64_t micro_tokens = 0;  // in memory at once; gradients of an update are accumulated
  int64_t eval_problems = 0;
  AdvantageOptions advantage;
  PolicyLossOptions loss;
  std::vector<RewardPart> rewards;
  int64_t length_margin = 0;  // tokens before max_new_tokens from which the length is punished
};

struct MoePart {
  double balance_alpha = 0;      // of the sequence-wise balance loss; 0: none
  double bias_update_speed = 0;  // of balancing without a loss; 0: none
  double bias_until = 0;         // fraction of the schedule after which it stops
};

struct MtpPart {
  double lambda = 0;
  double later_lambda = 0;
  double later_from = 0;  // fraction of the schedule
};

struct CheckpointPart {
  int64_t every_steps = 0;
  int64_t keep_last = 0;
  bool keep_best = false;  // by validation loss
};

struct LogPart {
  int64_t every_steps = 0;
  int64_t validate_every_steps = 0;
  int64_t validation_batches = 0;
  int64_t sample_every_steps = 0;  // 0: no samples
  std::vector<std::string> sample_prompts;
  int64_t sample_tokens = 0;
};

// 0 and "": as the machine is configured (ledger/settings.h).
struct CostPart {
  double money_per_hour = 0;
  std::string currency;
  double watts = 0;
};

struct Recipe {
  std::string name;
  std::string programme;  // in the ledger: the work that this run and its failed siblings belong to
  RecipeKind kind = RecipeKind::kPretrain;
  uint64_t seed = 0;   // of random weights
  std::string out;     // folder
  std::string parent;  // a checkpoint, or the folder of a run; with lora also a .gguf file; empty: random weights
  ModelPart model;
  std::optional<LoraPart> lora;
  WorkPart work;             // of kinds that train nothing, which have no part below but cost
  std::optional<RlPart> rl;  // of grpo and distill, which have no data and no batch
  DataPart data;
  BatchPart batch;
  OptimizerPart optimizer;
  SchedulePart schedule;
  MoePart moe;
  MtpPart mtp;
  CheckpointPart checkpoint;
  LogPart log;
  CostPart cost;

  std::string canonical;  // JSON of every value as written, in one order and spelling
  std::string hash;       // SHA-256 of canonical, hex
};

std::string recipe_kind_name(RecipeKind kind);  // pretrain, sft, grpo ...
bool trains(RecipeKind kind);

// The same recipe with another seed of its random weights and of the order of its data, in the folder seed-N of its own.
Recipe with_seed(const Recipe& recipe, uint64_t seed);

// The stages of a recipe file, in order: one, or those of its [[stage]] tables, for which sections beside these tables stand in
// where a stage has none of its own. Paths in the file are relative to its folder
// and come back joined with it. Unknown, missing and unused keys and values out of range are errors with file and line.
Result<std::vector<Recipe>> read_recipes(const std::string& path);
// The same for a text; `folder` is what its paths are relative to.
Result<std::vector<Recipe>> parse_recipes(std::string_view text, const std::string& where, const std::string& folder);

}  // namespace minke::recipe
