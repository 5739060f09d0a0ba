// Refusals and failures: clear messages, and nothing left behind.
#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "models.h"

namespace minke {
namespace {

using namespace testing;
namespace fs = std::filesystem;

// The test's files and folders in a directory, by name.
std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

TEST(BadInput, TruncatedShard) {
  TemporaryDirectory scratch;
  fs::copy(golden_model("deepseek_v3_sharded"), scratch.path() / "in");
  std::string shard = scratch.file("in/model-00002-of-00003.safetensors");
  fs::resize_file(shard, fs::file_size(shard) - 10);
  EXPECT_ERROR(convert_model(scratch.file("in"), scratch.file("out.gguf")), "model-00002-of-00003.safetensors");
  EXPECT_EQ(names_in(scratch.path()), std::vector<std::string>{"in"});
}

TEST(BadInput, UnknownArchitecture) {
  TemporaryDirectory scratch;
  fs::copy(golden_model("qwen3"), scratch.path() / "in");
  std::string config = read_test_file(scratch.file("in/config.json"));
  config.replace(config.find("\"qwen3\""), 7, "\"qwen9\"");
  value_of(write_file(scratch.file("in/config.json"), config));
  EXPECT_ERROR(convert_model(scratch.file("in"), scratch.file("out")), "qwen9");
}

TEST(BadInput, MissingTensorAndMissingFolder) {
  TemporaryDirectory scratch;
  EXPECT_ERROR(convert_model(scratch.file("none"), scratch.file("out")), "none");
  fs::copy(golden_model("qwen3"), scratch.path() / "in");
  std::string config = read_test_file(scratch.file("in/config.json"));
  config.replace(config.find("\"num_hidden_layers\": 2"), 22, "\"num_hidden_layers\": 3");
  value_of(write_file(scratch.file("in/config.json"), config));
  EXPECT_ERROR(convert_model(scratch.file("in"), scratch.file("out.gguf")), "model.layers.2.");
}

TEST(BadOption, MlaOfAnotherAttention) {
  TemporaryDirectory scratch;
  ConvertOptions options;
  options.mla = MlaLayout::kClassic;
  EXPECT_ERROR(convert_model(golden_model("qwen3"), scratch.file("out.gguf"), options), "--mla");
}

TEST(Output, ThatExistsIsKeptUnlessForced) {
  TemporaryDirectory scratch;
  std::ofstream(scratch.file("out.gguf")) << "precious";
  EXPECT_ERROR(convert_model(golden_model("qwen3"), scratch.file("out.gguf")), "--force");
  EXPECT_EQ(read_test_file(scratch.file("out.gguf")), "precious");
  ConvertOptions force;
  force.overwrite = true;
  value_of(convert_model(golden_model("qwen3"), scratch.file("out.gguf"), force));
  value_of(convert_model(golden_model("qwen3"), scratch.file("out")));
  EXPECT_ERROR(convert_model(golden_model("qwen2_tied"), scratch.file("out")), "--force");
  value_of(convert_model(golden_model("qwen2_tied"), scratch.file("out") + "/", force));
  EXPECT_EQ(config_of(scratch.file("out")).architecture, "qwen2");
  EXPECT_EQ(names_in(scratch.path()), (std::vector<std::string>{"out", "out.gguf"}));
}

TEST(Output, FolderWithOtherThingsIsNeverReplaced) {
  TemporaryDirectory scratch;
  fs::create_directory(scratch.path() / "home");
  std::ofstream(scratch.file("home/letter.txt")) << "dear";
  ConvertOptions force;
  force.overwrite = true;
  EXPECT_ERROR(convert_model(golden_model("qwen3"), scratch.file("home"), force), "letter.txt");
  EXPECT_EQ(names_in(scratch.path() / "home"), std::vector<std::string>{"letter.txt"});
}

TEST(Output, SameAsInputIsRefused) {
  TemporaryDirectory scratch;
  ConvertOptions force;
  force.overwrite = true;
  fs::copy(golden_model("qwen3"), scratch.path() / "in");
  EXPECT_ERROR(convert_model(scratch.file("in"), scratch.file("in/."), force), "the same");
  value_of(convert_model(scratch.file("in"), scratch.file("model.gguf")));
  fs::create_symlink(scratch.file("model.gguf"), scratch.file("link.gguf"));
  EXPECT_ERROR(convert_model(scratch.file("model.gguf"), scratch.file("link.gguf"), force), "the same");
}

TEST(Output, NameOfAPartIsRefused) {
  TemporaryDirectory scratch;
  EXPECT_ERROR(convert_model(golden_model("qwen3"), scratch.file("m-00001-of-00003.gguf")), "part 1 of 3");
}

TEST(Output, UnwritablePlace) {
  TemporaryDirectory scratch;
  EXPECT_ERROR(convert_model(golden_model("qwen3"), scratch.file("no/such/model.gguf")), "no/such");
  EXPECT_ERROR(convert_model(golden_model("qwen3"), scratch.file("no/such/folder")), "no/such");
  EXPECT_ERROR(convert_model(golden_model("qwen3"), "/proc/minke.gguf"), "/proc");
  EXPECT_ERROR(convert_model(golden_model("qwen3"), "/proc/minke"), "/proc");
  std::ofstream(scratch.file("file")) << "x";
  EXPECT_ERROR(convert_model(golden_model("qwen3"), scratch.file("file")), "not a folder");
}

// A full disk, as a limit on the size of files shows it: writing fails in the middle.
TEST(Output, DiskThatFillsUpLeavesNothing) {
  auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  TemporaryDirectory scratch;
  rlimit small = old_limit;
  small.rlim_cur = 30000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  auto gguf = convert_model(golden_model("qwen3"), scratch.file("out.gguf"));
  auto hf = convert_model(golden_model("qwen3"), scratch.file("out"));
  setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_ERROR(gguf, "cannot write");
  EXPECT_ERROR(hf, "cannot write");
  EXPECT_TRUE(fs::is_empty(scratch.path()));
}

TEST(Output, StoppedConversionLeavesNothing) {
  TemporaryDirectory scratch;
  ConvertOptions options;
  options.progress = [](uint64_t, uint64_t) { return false; };
  EXPECT_TRUE(value_of(convert_model(golden_model("qwen3"), scratch.file("out.gguf"), options)).stopped);
  EXPECT_TRUE(value_of(convert_model(golden_model("qwen3"), scratch.file("out"), options)).stopped);
  EXPECT_TRUE(fs::is_empty(scratch.path()));
}

TEST(Output, RemainsOfAKilledConversionAreReplaced) {
  TemporaryDirectory scratch;
  fs::create_directory(scratch.path() / "out.incomplete");
  std::ofstream(scratch.file("out.incomplete/model.safetensors.incomplete")) << "half";
  value_of(convert_model(golden_model("qwen3"), scratch.file("out")));
  EXPECT_EQ(names_in(scratch.path()), std::vector<std::string>{"out"});
}

}  // namespace
}  // namespace minke
