// Checkpoints: bit equality after reload, kill -9 at any moment, full disks, damage, and what is kept.
#include "train/checkpoint/checkpoint.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <random>

#include "base/file.h"
#include "base/json.h"
#include "format/folder.h"
#include "tiny.h"
#include "train/checkpoint/run_lock.h"

namespace minke::testing {
namespace {

namespace fs = std::filesystem;

const Context kContext = {nullptr, Isa::kRef};

// A training run whose gradients are a formula of the step.
struct StoppedRun {
  ModelConfig config;
  Tiny tiny;
  std::unique_ptr<Optimizer> optimizer;
  CheckpointState state;
  std::vector<CheckpointFile> files = {{"tokenizer.json", "{}\n"}};

  explicit StoppedRun(const std::string& model = "qwen2_tied", const ParameterOptions& options = {},
                       const OptimizerOptions& optimizer_options = {})
      : config(golden_config(model)), tiny(config, options) {
    tiny.store->initialize(11, 0.02, kContext);
    optimizer = value_of(Optimizer::create(tiny.store->parameters(), optimizer_options));
    state.data_cursor = R"({"shard":0,"offset":0})";
  }

  void step() {
    state.step++;
    state.tokens += 1000;
    state.flops = static_cast<double>(state.step) / 3;
    state.data_cursor = fmt::format(R"({{"shard":1,"offset":{}}})", state.tokens);
    fill_grads(*tiny.store, static_cast<uint64_t>(state.step));
    for (const Buffer& buffer : tiny.store->buffers()) {
      for (float& value : *buffer.values) value += 0.001f * static_cast<float>(state.step);
    }
    optimizer->step(1e-3, 0.5, kContext);
    state.optimizer_steps = optimizer->n_steps();
    state.grad_norms.push_back(1.0 / static_cast<double>(state.step));
  }

  CheckpointSources sources() { return {config, *tiny.store, *optimizer, files}; }
  Result<std::string> save(const std::string& folder) { return write_checkpoint(folder, state, sources()); }
  Status restore(const Checkpoint& checkpoint) {
    state = checkpoint.state;
    return restore_checkpoint(checkpoint, *tiny.store, *optimizer);
  }
};

bool same_state(const StoppedRun& a, const StoppedRun& b) {
  const std::vector<StateTensor> x = a.optimizer->state(), y = b.optimizer->state();
  if (x.size() != y.size() || a.optimizer->n_steps() != b.optimizer->n_steps()) return false;
  for (size_t i = 0; i < x.size(); i++) {
    if (x[i].name != y[i].name || std::memcmp(x[i].values.data, y[i].values.data, x[i].view().n_bytes()) != 0) return false;
  }
  const CheckpointState &s = a.state, &t = b.state;
  return same_values(*a.tiny.store, *b.tiny.store) && s.step == t.step && s.tokens == t.tokens && s.flops == t.flops &&
         s.data_cursor == t.data_cursor && s.grad_norms == t.grad_norms && s.validation_loss == t.validation_loss &&
         s.rng == t.rng && s.parent == t.parent;
}

TEST(Checkpoint, ResumedRunIsTheRunThatNeverStopped) {
  struct Case {
    const char* model;
    ParameterOptions parameters;
    OptimizerOptions optimizer;
  };
  const OptimizerOptions muon = {.kind = OptimizerKind::kMuon, .moments = DType::kBF16};
  for (const Case& c : {Case{"qwen2_tied", {}, {}}, Case{"deepseek_v3", {.dtype = DType::kBF16}, muon},
                        Case{"deepseek_v3", {.dtype = DType::kBF16, .has_master = false}, {}}}) {
    TemporaryDirectory folder;
    StoppedRun straight(c.model, c.parameters, c.optimizer), stopped(c.model, c.parameters, c.optimizer);
    for (int i = 0; i < 6; i++) straight.step();
    for (int i = 0; i < 3; i++) stopped.step();
    stopped.state.validation_loss = 0.1 + 0.2;
    stopped.state.rng = "[1,2,18446744073709551615]";
    const std::string path = value_of(stopped.save(folder.file("run")));
    EXPECT_EQ(file_name(path), "step-000003");
    StoppedRun resumed(c.model, c.parameters, c.optimizer);
    value_of(resumed.restore(value_of(open_latest_checkpoint(folder.file("run"), IfDamaged::kRefuse))));
    EXPECT_TRUE(same_state(resumed, stopped));
    EXPECT_EQ(resumed.state.validation_loss, 0.1 + 0.2);
    resumed.state.validation_loss.reset();
    resumed.state.rng = "null";
    for (int i = 0; i < 3; i++) resumed.step();
    EXPECT_TRUE(same_state(resumed, straight)) << c.model;
  }
}

TEST(Checkpoint, IsAModelThatLoads) {
  TemporaryDirectory folder;
  StoppedRun run("deepseek_v3", {.dtype = DType::kBF16});
  run.step();
  const std::string path = value_of(run.save(folder.file("run")));
  auto loaded = value_of(Model::load(path));
  EXPECT_EQ(loaded->config().n_mtp_layers, 1);
  Tiny copy(loaded->config(), {.dtype = DType::kBF16, .has_master = false});
  value_of(copy.store->copy_from(*loaded, kContext));
  ASSERT_EQ(copy.store->parameters().size(), run.tiny.store->parameters().size());
  for (size_t i = 0; i < copy.store->parameters().size(); i++) {
    const Parameter &p = copy.store->parameters()[i], &q = run.tiny.store->parameters()[i];
    EXPECT_EQ(std::memcmp(p.value, q.value, value_bytes(p)), 0) << p.name;
  }
  EXPECT_EQ(*copy.store->buffers()[0].values, *run.tiny.store->buffers()[0].values);
  EXPECT_EQ(value_of(read_file(path_in(path, "tokenizer.json"), 100)), "{}\n");
}

// Changes one byte in the middle of a file.
void spoil(const std::string& path) {
  std::string text = value_of(read_file(path, size_t{1} << 30));
  text[text.size() / 2] = static_cast<char>(text[text.size() / 2] ^ 0x10);
  value_of(write_file(path, text));
}

TEST(Checkpoint, RefusesDamageAndTakesTheOneBeforeOnlyWhenAsked) {
  for (const char* name : {"model.safetensors", "optimizer.safetensors", "config.json", "tokenizer.json", "state.json"}) {
    for (bool is_missing : {false, true}) {
      TemporaryDirectory folder;
      StoppedRun run;
      run.step();
      value_of(run.save(folder.file("run")));
      run.step();
      const std::string latest = value_of(run.save(folder.file("run")));
      if (is_missing) {
        fs::remove(path_in(latest, name));
      } else {
        spoil(path_in(latest, name));
      }
      auto refused = open_latest_checkpoint(folder.file("run"), IfDamaged::kRefuse);
      ASSERT_FALSE(refused.has_value()) << name;
      EXPECT_NE(refused.error().message.find(path_in(latest, name)), std::string::npos) << refused.error().message;
      EXPECT_NE(refused.error().message.find("step-000001"), std::string::npos) << refused.error().message;
      EXPECT_EQ(refused.error().message.find('\n'), std::string::npos);
      EXPECT_EQ(value_of(open_latest_checkpoint(folder.file("run"), IfDamaged::kTakePrevious)).state.step, 1) << name;
      // From now on the one before is the latest, and the damaged one is there for whoever wants to look at it.
      EXPECT_EQ(value_of(open_latest_checkpoint(folder.file("run"), IfDamaged::kRefuse)).state.step, 1) << name;
      EXPECT_TRUE(file_exists(latest + ".damaged"));
    }
  }
}

TEST(Checkpoint, RefusesTheStateOfAnotherRun) {
  TemporaryDirectory folder;
  StoppedRun run;
  value_of(run.save(folder.file("run")));
  const Checkpoint checkpoint = value_of(open_latest_checkpoint(folder.file("run"), IfDamaged::kRefuse));
  StoppedRun other_model("llama_bias");
  EXPECT_ERROR(other_model.restore(checkpoint), "model.safetensors");
  StoppedRun other_dtype("qwen2_tied", {.dtype = DType::kBF16});
  EXPECT_ERROR(other_dtype.restore(checkpoint), "expected bf16");
  StoppedRun other_optimizer("qwen2_tied", {}, {.kind = OptimizerKind::kMuon});
  EXPECT_ERROR(other_optimizer.restore(checkpoint), "optimizer.safetensors");
  StoppedRun other_moments("qwen2_tied", {}, {.moments = DType::kBF16});
  EXPECT_ERROR(other_moments.restore(checkpoint), "expected bf16");
  TemporaryDirectory empty;
  EXPECT_ERROR(open_latest_checkpoint(empty.file("none"), IfDamaged::kRefuse), "no checkpoint");
  EXPECT_ERROR(parse_state(R"({"format_version":2})", "s.json"), "format_version 2");
  EXPECT_ERROR(parse_state(R"({"format_version":1,"sha256":"x"})", "s.json"), "damaged");
  EXPECT_ERROR(parse_state(R"([])", "s.json"), "format_version");
  CheckpointState bad;
  bad.validation_loss = std::nan("");
  EXPECT_ERROR(write_state(bad, {}), "not finite");
}

TEST(Checkpoint, KeepsTheLastAndTheBest) {
  TemporaryDirectory folder;
  const std::string run_path = folder.file("run");
  StoppedRun run;
  for (double loss : {5.0, 3.0, 4.0, 4.5, 6.0}) {
    run.step();
    run.state.validation_loss = loss;
    value_of(run.save(run_path));
  }
  auto steps = [&] {
    std::vector<int64_t> all;
    for (const CheckpointFolder& f : value_of(list_checkpoints(run_path))) all.push_back(f.step);
    return all;
  };
  EXPECT_EQ(value_of(prune_checkpoints(run_path, {.keep_last = 5, .keep_best = true})), std::vector<int64_t>{});
  EXPECT_EQ(value_of(prune_checkpoints(run_path, {.keep_last = 2, .keep_best = true})), (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(steps(), (std::vector<int64_t>{2, 4, 5}));
  value_of(prune_checkpoints(run_path, {.keep_last = 1, .keep_best = false}));
  EXPECT_EQ(steps(), (std::vector<int64_t>{5}));
  EXPECT_EQ(value_of(list_checkpoints(folder.file("none"))).size(), 0u);
  // The same step again takes the other's place, and what a killed process left is cleared away.
  fs::create_directory(path_in(run_path, "step-000001.incomplete"));
  fs::create_directory(path_in(run_path, "step-000001.removed"));
  fs::create_directory(path_in(run_path, "steps"));
  run.state.recipe_hash = "again";
  value_of(run.save(run_path));
  EXPECT_EQ(value_of(open_latest_checkpoint(run_path, IfDamaged::kRefuse)).state.recipe_hash, "again");
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(run_path)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"step-000005", "steps"}));
}

TEST(RunLock, IsFreeAgainWhenItsHolderIsGone) {
  TemporaryDirectory folder;
  {
    const RunLock lock = value_of(RunLock::take(folder.path().string()));
    EXPECT_ERROR(RunLock::take(folder.path().string()), "another process");
  }
  value_of(RunLock::take(folder.path().string()));
  value_of(RunLock::take(folder.file("new")));
  value_of(write_file(folder.file("file"), ""));
  EXPECT_ERROR(RunLock::take(folder.file("file")), "cannot create");
}

// Runs fn in a child process; returns its exit code.
template <typename Fn>
int in_child(Fn fn) {
  const pid_t child = ::fork();
  if (child == 0) {
    int code = 99;
    try {
      code = fn();
    } catch (const std::exception& e) {
      ::fprintf(stderr, "%s\n", e.what());
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// A limit on the size of files fails a write as a full disk does, at the same places.
TEST(Checkpoint, AFullDiskLeavesTheLastCheckpointWhole) {
  TemporaryDirectory folder;
  const std::string run_path = folder.file("run");
  StoppedRun run;
  run.step();
  const std::string first = value_of(run.save(run_path));
  const uint64_t model_bytes = fs::file_size(path_in(first, "model.safetensors"));
  const uint64_t state_bytes = fs::file_size(path_in(first, "optimizer.safetensors"));
  ASSERT_LT(model_bytes, state_bytes);
  run.step();
  for (uint64_t limit : {uint64_t{0}, uint64_t{100}, model_bytes / 2, model_bytes, state_bytes - 1}) {
    const int code = in_child([&] {
      ::signal(SIGXFSZ, SIG_IGN);
      const rlimit files = {limit, limit};
      if (::setrlimit(RLIMIT_FSIZE, &files) != 0) return 1;
      const auto result = run.save(run_path);
      if (result) return 2;
      const std::string& message = result.error().message;
      if (message.find("it needs") == std::string::npos || message.find("safetensors") == std::string::npos) return 3;
      return file_exists(path_in(run_path, "step-000002.incomplete")) ? 4 : 0;
    });
    EXPECT_EQ(code, 0) << limit;
    EXPECT_EQ(value_of(open_latest_checkpoint(run_path, IfDamaged::kRefuse)).state.step, 1);
  }
  value_of(run.save(run_path));
  EXPECT_EQ(value_of(open_latest_checkpoint(run_path, IfDamaged::kRefuse)).state.step, 2);
}

// A folder in memory where the machine has one: what a kill leaves behind is the same, and a disk's fsync does not take most of
// the time. Removed with everything in it.
struct MemoryFolder {
  std::string path = fs::is_directory("/dev/shm") ? "/dev/shm/minke_XXXXXX" : "/tmp/minke_XXXXXX";
  MemoryFolder() {
    if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error(path);
  }
  ~MemoryFolder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

// The time of a restore and a save.
useconds_t microseconds_of_a_save(const std::string& run_path) {
  StoppedRun run;
  value_of(run.save(run_path));
  const auto begin = std::chrono::steady_clock::now();
  value_of(run.restore(value_of(open_latest_checkpoint(run_path, IfDamaged::kRefuse))));
  run.step();
  value_of(run.save(run_path));
  const auto time = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin).count();
  return static_cast<useconds_t>(std::min<int64_t>(time, 100'000));
}

// The child trains and saves without end; the parent kills it at random moments and resumes.
TEST(Checkpoint, SurvivesKillAtAnyMoment) {
  const MemoryFolder folder, timing;
  const std::string run_path = folder.path + "/run";
  const useconds_t save_us = microseconds_of_a_save(timing.path + "/run");
  std::mt19937 random(4);
  StoppedRun expected;
  int64_t last_step = 0;
  int n_advanced = 0;
  for (int round = 0; round < 50; round++) {
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        StoppedRun run;
        if (auto latest = open_latest_checkpoint(run_path, IfDamaged::kRefuse)) value_of(run.restore(*latest));
        while (true) {
          run.step();
          value_of(run.save(run_path));
          const int64_t done = run.state.step;
          if (::write(pipe_ends[1], &done, sizeof(done)) != sizeof(done)) ::_exit(3);
          value_of(prune_checkpoints(run_path, {.keep_last = 2, .keep_best = true}));
        }
      } catch (const std::exception& e) {
        ::fprintf(stderr, "%s\n", e.what());
      }
      ::_exit(2);
    }
    ::close(pipe_ends[1]);
    ::usleep(std::uniform_int_distribution<useconds_t>(save_us / 4, 5 * save_us)(random));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself with " << status;
    int64_t reported = 0, value = 0;
    while (::read(pipe_ends[0], &value, sizeof(value)) == sizeof(value)) reported = value;
    ::close(pipe_ends[0]);
    const auto latest = open_latest_checkpoint(run_path, IfDamaged::kRefuse);
    if (!latest && last_step == 0 && reported == 0) continue;  // killed before the first was whole
    ASSERT_TRUE(latest.has_value()) << latest.error().message;
    ASSERT_GE(latest->state.step, std::max(reported, last_step)) << "a checkpoint that was reported is gone";
    n_advanced += latest->state.step > last_step ? 1 : 0;
    last_step = latest->state.step;
    while (expected.state.step < last_step) expected.step();
    StoppedRun resumed;
    value_of(resumed.restore(*latest));
    ASSERT_TRUE(same_state(resumed, expected)) << "round " << round << ", step " << last_step;
  }
  EXPECT_GT(n_advanced, 10) << "killed too early to test anything";
}

}  // namespace
}  // namespace minke::testing
