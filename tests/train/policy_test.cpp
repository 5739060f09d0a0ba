// Reinforcement learning on a tiny DeepSeek-V3 that is new-born: a reward that can be learnt rises, one that never differs
// changes nothing, and runs that are stopped go on to the same bits.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/rng.h"
#include "data/make_shard.h"
#include "data/shard_writer.h"
#include "support/support.h"
#include "tokenizer/train/trainer.h"
#include "train/checkpoint/folders.h"
#include "train/loop/training_run.h"
#include "workshop.h"

namespace minke::testing {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kPolicyVocab = 264;

constexpr const char* kStage = R"([recipe]
name = "policy"
programme = "test"
kind = "grpo"
seed = 1
out = "OUT"
parent = "base"
[model]
dtype = "f32"
master_weights = false
recompute = false
[rl]
tasks = [{ task = "arithmetic_addition:1", language = "en", weight = 1.0 },
         { task = "countdown:1", language = "ko", weight = 2.0 }]
seed = 1
prompts = 8
group_size = 8
drop_uniform = false
max_rounds = 1
max_new_tokens = 24
temperature = 1.0
inner_epochs = 1
updates = 1
micro_tokens = 2048
eval_problems = 4
advantage = "none"
ratio = "token"
reduction = "token_mean"
clip_low = 0.2
clip_high = 0.28
kl_coef = 0.0
rewards = [{ part = "length", weight = 1.0 }]
length_margin = 20
[optimizer]
kind = "adamw"
lr = 3e-3
beta1 = 0.9
beta2 = 0.95
eps = 1e-8
weight_decay = 0.0
moments = "f32"
clip_norm = 1.0
skip_factor = 0.0
[schedule]
kind = "constant"
total_steps = 30
warmup_steps = 0
[moe]
balance_alpha = 0.0
bias_update_speed = 0.0
bias_until = 0.0
[mtp]
lambda = 0.0
later_lambda = 0.0
later_from = 1.0
[checkpoint]
every_steps = 3
keep_last = 1
keep_best = false
[log]
every_steps = 1
validate_every_steps = 15
sample_every_steps = 0
sample_prompts = []
sample_tokens = 0
[cost]
money_per_hour = 0.0
currency = ""
watts = 0.0
)";

using Changes = std::vector<std::pair<std::string, std::string>>;

// A folder with a model of one training step under base/ and a tokenizer that can ask.
class PolicyWorkshop {
 public:
  PolicyWorkshop() {
    TokenizerTrainingOptions options;
    options.vocab_size = kPolicyVocab;
    options.bos = "<|bos|>";
    options.eos = "<|eos|>";
    options.special = {"<|bos|>", "<|eos|>", "<|user|>", "<|assistant|>", "<|system|>", "<think>", "</think>", "<|spare|>"};
    options.chat_template = read_test_file(repository_path("recipes/chat_template.jinja"));
    const Tokenizer tokenizer = write_tiny_model_files(folder_, options);
    for (const char* name : {"train.shard", "validation.shard"}) {
      ShardWriter writer = value_of(ShardWriter::create(folder_.file(name), kPolicyVocab, vocabulary_digest(tokenizer)));
      value_of(writer.append(std::vector<TokenId>(400, 20), {}));
      writer.end_document(1);
      value_of(writer.finish());
    }
    std::string text = read_test_file(repository_path("recipes/tiny-test.toml"));
    text = text.substr(0, text.find("[[stage]]", text.find("[[stage]]") + 1));
    text = replaced(replaced(text, "out/pretrain", "base"), "total_tokens = 8192", "total_tokens = 512");
    recipe::Recipe base = value_of(recipe::parse_recipes(text, "base", folder_.path().string())).at(0);
    fs::create_directories(base.out);
    EXPECT_EQ(train(base, {nullptr, best_isa()}), RunEnd::kFinished);
  }

  recipe::Recipe recipe(const std::string& out, const Changes& changes = {}) const {
    std::string text = replaced(kStage, "OUT", out);
    for (const auto& [from, to] : changes) text = replaced(text, from, to);
    recipe::Recipe result = value_of(recipe::parse_recipes(text, "policy.toml", folder_.path().string())).at(0);
    fs::create_directories(result.out);
    return result;
  }

  // The folder of a model.
  std::string copy_of_base(const std::string& name) const {
    fs::copy(value_of(model_folder(folder_.file("base"))), folder_.file(name), fs::copy_options::recursive);
    return folder_.file(name);
  }

  std::string bytes(const std::string& out) const { return checkpoint_bytes(folder_.file(out), "model.safetensors"); }

 private:
  TemporaryDirectory folder_;
};

double figure(const StepRecord& record, const std::string& name) {
  for (const Figure& f : record.figures) {
    if (f.name == name) return f.value;
  }
  throw std::runtime_error("no figure \"" + name + "\"");
}

std::vector<StepRecord> records_of(const recipe::Recipe& recipe, const Context& context) {
  std::unique_ptr<TrainingRun> run = value_of(TrainingRun::open(recipe, {}, context));
  std::vector<StepRecord> records;
  RunHooks hooks;
  hooks.on_step = [&](const StepRecord& record) -> Status {
    records.push_back(record);
    return {};
  };
  EXPECT_EQ(value_of(run->run(hooks)), RunEnd::kFinished);
  return records;
}

double mean_reward(std::span<const StepRecord> records) {
  double sum = 0;
  for (const StepRecord& record : records) sum += figure(record, "reward") / static_cast<double>(records.size());
  return sum;
}

TEST(PolicyLesson, ARewardThatCanBeLearntRises) {
  PolicyWorkshop workshop;
  ThreadPool pool(2);
  const std::vector<StepRecord> records = records_of(workshop.recipe("out"), {&pool, best_isa()});
  ASSERT_EQ(records.size(), 30u);
  const std::span<const StepRecord> all(records);
  EXPECT_LT(mean_reward(all.first(3)), -0.8);  // new-born answers do not end
  EXPECT_GT(mean_reward(all.last(3)), -0.5);
  for (const StepRecord& record : records) {
    // Sampled by the very policy that learns: to the bit, so that nothing is clipped.
    EXPECT_EQ(figure(record, "behavior_kl"), 0) << record.step;
    EXPECT_EQ(figure(record, "ratio"), 1) << record.step;
  }
  EXPECT_EQ(records.back().validation_loss, 1);  // short, and wrong
}

// The guard against a trainer that moves whatever the rewards say: the same run with a reward that is broken.
TEST(PolicyLesson, ARewardThatNeverDiffersTeachesNothing) {
  PolicyWorkshop workshop;
  const std::string before = workshop.bytes("base");
  for (const char* drop : {"true", "false"}) {
    const std::string out = std::string("out-") + drop;
    const Changes changes = {{"part = \"length\"", "part = \"accuracy\""},
                             {"length_margin = 20\n", ""},
                             {"drop_uniform = false", std::string("drop_uniform = ") + drop},
                             {"total_steps = 30", "total_steps = 4"}};
    for (const StepRecord& record : records_of(workshop.recipe(out, changes), {nullptr, best_isa()})) {
      EXPECT_EQ(figure(record, "reward"), 0);
      EXPECT_EQ(figure(record, "groups_dropped"), std::string(drop) == "true" ? 1 : 0);
    }
    EXPECT_TRUE(workshop.bytes(out) == before) << "weights moved without a reason";
  }
}

TEST(PolicyLesson, ARunThatWasStoppedGoesOnToTheSameBits) {
  PolicyWorkshop workshop;
  ThreadPool pool(2);
  const Context context{&pool, best_isa()};
  // Several updates on the same answers, a reference, several rounds of asking.
  const Changes changes = {{"inner_epochs = 1", "inner_epochs = 2"},   {"updates = 1", "updates = 2"},
                           {"kl_coef = 0.0", "kl_coef = 0.01"},        {"total_steps = 30", "total_steps = 6"},
                           {"temperature = 1.0", "temperature = 0.9"}, {"micro_tokens = 2048", "micro_tokens = 300"}};
  EXPECT_EQ(train(workshop.recipe("whole", changes), context), RunEnd::kFinished);
  const recipe::Recipe recipe = workshop.recipe("parts", changes);
  for (int64_t n_polls : {5, 30, 1, 60}) EXPECT_EQ(train(recipe, context, n_polls), RunEnd::kStopped);
  EXPECT_EQ(train(recipe, {nullptr, best_isa()}), RunEnd::kFinished);
  EXPECT_TRUE(workshop.bytes("whole") == workshop.bytes("parts"));
  EXPECT_FALSE(workshop.bytes("whole") == workshop.bytes("base"));
}

constexpr const char* kDistillSection = R"([distill]
teacher = "TEACHER"
tasks = [{ task = "arithmetic_addition:1", language = "both", weight = 1.0 }]
seed = 3
prompts = 48
max_new_tokens = 24
temperature = 1.0
micro_tokens = 2048
eval_problems = 4
)";

// kStage with [distill] in the place of [rl].
Changes distill_changes(const std::string& teacher) {
  const std::string stage = kStage;
  const size_t begin = stage.find("[rl]"), end = stage.find("[optimizer]");
  return {{stage.substr(begin, end - begin), replaced(kDistillSection, "TEACHER", teacher)},
          {"kind = \"grpo\"", "kind = \"distill\""}};
}

// The teacher is the base after 30 steps of the length reward; its answers end, the student's do not.
TEST(PolicyLesson, AStudentComesNearItsTeacher) {
  PolicyWorkshop workshop;
  ThreadPool pool(2);
  const Context context{&pool, best_isa()};
  EXPECT_EQ(train(workshop.recipe("teacher"), context), RunEnd::kFinished);
  const recipe::Recipe recipe = workshop.recipe("student", distill_changes("teacher"));
  const std::vector<StepRecord> records = records_of(recipe, context);
  ASSERT_EQ(records.size(), 30u);
  EXPECT_LT(figure(records.front(), "whole"), 0.2);
  EXPECT_GT(figure(records.back(), "whole"), figure(records.front(), "whole") + 0.3);
  EXPECT_LT(records.back().cross_entropy, records.front().cross_entropy / 10);

  const recipe::Recipe parts = workshop.recipe("parts", distill_changes("teacher"));
  for (int64_t n_polls : {40, 90}) EXPECT_EQ(train(parts, context, n_polls), RunEnd::kStopped);
  EXPECT_EQ(train(parts, {nullptr, best_isa()}), RunEnd::kFinished);
  EXPECT_TRUE(workshop.bytes("student") == workshop.bytes("parts"));
}

TEST(PolicyLesson, ATeacherWithAnotherVocabularyIsRefused) {
  PolicyWorkshop workshop;
  const std::string other = workshop.copy_of_base("other");
  std::string tokenizer = read_test_file(other + "/tokenizer.json");
  while (tokenizer.find("<|spare|>") != std::string::npos) tokenizer = replaced(tokenizer, "<|spare|>", "<|other|>");
  value_of(write_file(other + "/tokenizer.json", tokenizer));
  EXPECT_ERROR(TrainingRun::open(workshop.recipe("out", distill_changes("other")), {}, {nullptr, best_isa()}),
               "has another vocabulary");
  // The same tokenizer, but a head with other padding.
  const std::string padded = workshop.copy_of_base("padded");
  for (const char* name : {"config.json", "model.safetensors"}) {
    fs::copy_file(repository_path(std::string("tests/goldens/grads/models/llama/") + name), padded + "/" + name,
                  fs::copy_options::overwrite_existing);
  }
  EXPECT_ERROR(TrainingRun::open(workshop.recipe("out", distill_changes("padded")), {}, {nullptr, best_isa()}),
               "has logits of 72 tokens");
  EXPECT_ERROR(TrainingRun::open(workshop.recipe("out", distill_changes("nobody")), {}, {nullptr, best_isa()}),
               "neither a model's folder");
}

TEST(PolicyLesson, MistakesOfTheRecipeAreNamed) {
  auto parse = [](const Changes& changes) {
    std::string text = kStage;
    for (const auto& [from, to] : changes) text = replaced(text, from, to);
    return recipe::parse_recipes(text, "p.toml", "/nowhere");
  };
  EXPECT_ERROR(parse({{"group_size = 8", "group_size = 1"}}), "rl.group_size");
  EXPECT_ERROR(parse({{"part = \"length\"", "part = \"lenght\""}}), "lenght");
  EXPECT_ERROR(parse({{"length_margin = 20\n", ""}}), "rl.length_margin");
  EXPECT_ERROR(parse({{"max_rounds = 1", "max_rounds = 2"}}), "drop_uniform");
  EXPECT_ERROR(parse({{"total_steps = 30", "total_tokens = 30"}}), "total_steps");
  EXPECT_ERROR(parse({{"[rl]", "[batch]\nmicro_rows = 1\n[rl]"}}), "batch");
  EXPECT_ERROR(parse({{"parent = \"base\"", "parent = \"\""}}), "grpo");
  EXPECT_ERROR(parse({{"task = \"countdown:1\"", "task = \"countup\""}}), "rl.tasks[1].task: there is no task \"countup\"");
  EXPECT_ERROR(parse({{"task = \"countdown:1\"", "task = \"countdown:99\""}}),
               "rl.tasks[1].task: countdown:99: difficulty \"99\"");
}

}  // namespace
}  // namespace minke::testing
