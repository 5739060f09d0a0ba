// The loop on a tiny DeepSeek-V3: a loss that falls, runs that are stopped, killed and gone on with to the same bits, and
// micro-batches that add up to the batch.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/file.h"
#include "base/rng.h"
#include "data/make_shard.h"
#include "data/shard_writer.h"
#include "support/support.h"
#include "tokenizer/train/trainer.h"
#include "train/loop/training_run.h"
#include "workshop.h"

namespace minke::testing {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kIds = 72;     // that the documents are made of
constexpr int64_t kVocab = 256;  // of the tokenizer: bytes alone; and of the model

// Each token follows from the one before it: a model that has learnt the rule has a loss near zero.
void write_rule_shard(const std::string& path, const Tokenizer& tokenizer, uint64_t seed, int64_t n_documents,
                      bool counts = true) {
  ShardWriter writer = value_of(ShardWriter::create(path, kVocab, vocabulary_digest(tokenizer)));
  for (int64_t d = 0; d < n_documents; d++) {
    std::vector<TokenId> tokens = {static_cast<TokenId>(mix_seed(seed, static_cast<uint64_t>(d)) % kIds)};
    const uint64_t length = 5 + mix_seed(seed + 1, static_cast<uint64_t>(d)) % 40;
    while (tokens.size() < length) tokens.push_back((5 * tokens.back() + 7) % kIds);
    value_of(writer.append(tokens, counts ? std::vector<uint8_t>{} : std::vector<uint8_t>(tokens.size(), 0)));
    writer.end_document(mix_seed(seed, static_cast<uint64_t>(1000 + d)));
  }
  value_of(writer.finish());
}

// A folder with what recipes/tiny-test.toml names, and its first stage with some lines replaced.
class Workshop {
 public:
  Workshop() {
    TokenizerTrainingOptions options;
    options.vocab_size = kVocab;
    const Tokenizer tokenizer = write_tiny_model_files(folder_, options);
    write_rule_shard(folder_.file("train.shard"), tokenizer, 1, 300);
    write_rule_shard(folder_.file("validation.shard"), tokenizer, 2, 20);
    write_rule_shard(folder_.file("masked.shard"), tokenizer, 3, 20, false);
  }

  recipe::Recipe recipe(const std::string& out, const std::vector<std::pair<std::string, std::string>>& changes = {}) const {
    std::string text = read_test_file(repository_path("recipes/tiny-test.toml"));
    text = text.substr(0, text.find("[[stage]]", text.find("[[stage]]") + 1));
    text = replaced(text, "out/pretrain", out);
    for (const auto& [from, to] : changes) text = replaced(text, from, to);
    recipe::Recipe result = value_of(recipe::parse_recipes(text, "tiny-test.toml", folder_.path().string())).at(0);
    fs::create_directories(result.out);
    return result;
  }

  std::string bytes(const std::string& out, const std::string& name) const { return checkpoint_bytes(folder_.file(out), name); }

 private:
  TemporaryDirectory folder_;
};

TEST(TrainingLoop, TheLossFallsBelowAStatedValue) {
  Workshop workshop;
  ThreadPool pool(2);
  const recipe::Recipe recipe = workshop.recipe("out", {{"total_tokens = 8192", "total_tokens = 40000"}});
  std::unique_ptr<TrainingRun> run = value_of(TrainingRun::open(recipe, {}, {&pool, best_isa()}));
  std::vector<StepRecord> records;
  RunHooks hooks;
  hooks.on_step = [&](const StepRecord& record) {
    records.push_back(record);
    return Status();
  };
  EXPECT_EQ(value_of(run->run(hooks)), RunEnd::kFinished);
  EXPECT_GT(records.front().cross_entropy, 5.0);  // ln 256 = 5.55
  ASSERT_TRUE(records.back().validation_loss);
  EXPECT_LT(*records.back().validation_loss, 1.0);
}

TEST(TrainingLoop, ARunThatWasStoppedGoesOnToTheSameBits) {
  Workshop workshop;
  ThreadPool pool(2);
  const Context context{&pool, best_isa()};
  EXPECT_EQ(train(workshop.recipe("whole"), context), RunEnd::kFinished);
  // The hash of a recipe covers `out`, so compare what the checkpoints hold and not their state files.
  const recipe::Recipe recipe = workshop.recipe("parts");
  for (int64_t n_polls : {3, 1, 14, 22, 0, 9}) EXPECT_EQ(train(recipe, context, n_polls), RunEnd::kStopped);
  EXPECT_EQ(train(recipe, {nullptr, best_isa()}), RunEnd::kFinished);
  for (const char* name : {"model.safetensors", "optimizer.safetensors"}) {
    EXPECT_TRUE(workshop.bytes("whole", name) == workshop.bytes("parts", name)) << name;
  }
}

TEST(TrainingLoop, ARunThatWasKilledGoesOnToTheSameBits) {
  Workshop workshop;
  const Context context{nullptr, best_isa()};
  const std::vector<std::pair<std::string, std::string>> changes = {{"every_steps = 10", "every_steps = 2"},
                                                                    {"total_tokens = 8192", "total_tokens = 12000"}};
  EXPECT_EQ(train(workshop.recipe("whole", changes), context), RunEnd::kFinished);
  // At any moment of the start and between checkpoints. A machine may be so fast that a run ends before it was killed often
  // enough: then another begins, and all that end must be the run that never stopped. MINKE_KILLS=2000 kills longer.
  const char* wish = std::getenv("MINKE_KILLS");
  const int wanted = wish != nullptr ? std::max(1, std::atoi(wish)) : 50;
  int n_kills = 0;
  for (int n_runs = 0; n_kills < wanted; n_runs++) {
    ASSERT_LT(n_runs, wanted) << "nothing can be killed in time";
    const std::string out = "killed-" + std::to_string(n_runs);
    const recipe::Recipe recipe = workshop.recipe(out, changes);
    for (bool is_done = false; !is_done;) {
      const pid_t child = fork();
      if (child == 0) _exit(train(recipe, context) == RunEnd::kFinished ? 0 : 1);
      const auto delay = n_kills < wanted ? mix_seed(7, static_cast<uint64_t>(n_kills)) % 30'000 : 600'000'000;
      for (uint64_t waited = 0; waited < delay && !is_done; waited += 500) {
        std::this_thread::sleep_for(std::chrono::microseconds(500));
        int status = 0;
        if (waitpid(child, &status, WNOHANG) == child) {
          ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
          is_done = true;
        }
      }
      if (is_done) break;
      ASSERT_LT(n_kills, wanted) << "the run does not end";
      kill(child, SIGKILL);
      waitpid(child, nullptr, 0);
      n_kills++;
    }
    for (const char* name : {"model.safetensors", "optimizer.safetensors"}) {
      EXPECT_TRUE(workshop.bytes("whole", name) == workshop.bytes(out, name)) << out << ' ' << name;
    }
  }
}

TEST(TrainingLoop, MicroBatchesAddUpToTheBatch) {
  Workshop workshop;
  ThreadPool pool(2);
  const Context context{&pool, best_isa()};
  auto model_bytes = [&](const std::string& out, const std::string& micro_rows, const std::string& lambda) {
    const recipe::Recipe recipe = workshop.recipe(out, {{"micro_rows = 4", "micro_rows = " + micro_rows},
                                                        {"  lambda = 0.3", "  lambda = " + lambda},
                                                        {"later_lambda = 0.1", "later_lambda = " + lambda},
                                                        {"total_tokens = 8192", "total_tokens = 2048"}});
    EXPECT_EQ(train(recipe, context), RunEnd::kFinished);
    return workshop.bytes(out, "model.safetensors");
  };
  // To the bit without multi-token prediction, whose part of the shared embedding and head comes after the main model's part
  // in each micro-batch, so that these sums have another order.
  const std::string expected = model_bytes("all", "8", "0.0");
  EXPECT_TRUE(model_bytes("ones", "1", "0.0") == expected);
  EXPECT_TRUE(model_bytes("threes", "3", "0.0") == expected);
}

TEST(TrainingLoop, RefusesDataWithoutATargetThatCounts) {
  Workshop workshop;
  std::unique_ptr<TrainingRun> run =
      value_of(TrainingRun::open(workshop.recipe("out", {{"train.shard", "masked.shard"}}), {}, {nullptr, best_isa()}));
  EXPECT_ERROR(run->run({}), "no target that counts");
}

TEST(TrainingLoop, RefusesAFolderOfAnotherRecipe) {
  Workshop workshop;
  const Context context{nullptr, best_isa()};
  const std::vector<std::pair<std::string, std::string>> shorter = {{"total_tokens = 8192", "total_tokens = 600"}};
  train(workshop.recipe("out", shorter), context);
  EXPECT_ERROR(TrainingRun::open(workshop.recipe("out"), {}, context), "another recipe");
}

}  // namespace
}  // namespace minke::testing
