// The disk cache behind a real, small model: what is found again after a restart, and what must not stand there.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "serve/disk/model_identity.h"
#include "serve/serve_fixture.h"
#include "support/support.h"

namespace minke::testing {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCanary = "beluga-7f3a-canary";

// A turn of a kept conversation whose prompt fills several pages.
server::ChatRequest turn(const std::string& word = kCanary) {
  std::string text;
  for (int i = 0; i < 40; i++) text += word + " ";
  server::ChatRequest request = ask(text + "Which is larger, 3 or 5? Reply as 'Answer: number'.");
  request.thinking.enabled = false;
  request.max_tokens = 24;
  request.page = server::PageTurn{};
  return request;
}

class DiskCache : public ::testing::Test {
 protected:
  void start() {
    served_.reset();
    served_ = std::make_unique<Served>(nano_options());
  }
  void open(const std::string& program = "this one") {
    value_of(served_->backend->open_disk_cache({folder(), 64 << 20, key_, program}));
  }
  // What a stop and a new start do.
  void restart(const std::string& program = "this one") {
    served_->backend->close_disk_cache();
    start();
    open(program);
  }
  void SetUp() override {
    start();
    open();
  }
  std::string folder() const { return directory_.file("pages"); }
  int64_t n_files() const {
    if (!fs::exists(folder())) return 0;
    return std::ranges::count_if(fs::directory_iterator(folder()), [](const auto& e) { return e.path().extension() == ".kv"; });
  }
  // What a close writes, with the cache open again.
  int64_t n_files_written() {
    served_->backend->close_disk_cache();
    open();
    return n_files();
  }

  TemporaryDirectory directory_;
  std::vector<std::byte> key_ = std::vector<std::byte>(32, std::byte{7});
  std::unique_ptr<Served> served_;
};

TEST_F(DiskCache, APromptIsFoundAfterARestartAndChangesNoToken) {
  const auto before = served_->run(turn());
  ASSERT_GT(before->collected().done->n_prompt_tokens, 4 * kPageSize);
  EXPECT_EQ(before->collected().done->n_cached_tokens, 0);
  restart();
  EXPECT_GE(n_files(), 4);
  const auto after = served_->run(turn());
  const int64_t n_cached = after->collected().done->n_cached_tokens;
  EXPECT_GE(n_cached, 4 * kPageSize);
  EXPECT_EQ(n_cached, before->collected().done->n_prompt_tokens / kPageSize * kPageSize);
  EXPECT_EQ(after->choice().answer, before->choice().answer);
  EXPECT_EQ(after->collected().done->n_completion_tokens, before->collected().done->n_completion_tokens);
  // Another program, or another key, has other pages.
  restart("another one");
  EXPECT_EQ(served_->run(turn())->collected().done->n_cached_tokens, 0);
  key_[3] = std::byte{8};
  restart();
  EXPECT_EQ(served_->run(turn())->collected().done->n_cached_tokens, 0);
}

TEST_F(DiskCache, NoWordAndNoTokenIsReadable) {
  served_->run(turn());
  ASSERT_GE(n_files_written(), 4);
  const auto tokens = served_->backend->tokenize("nano", std::string(kCanary) + " " + kCanary, false, false);
  ASSERT_TRUE(tokens);
  const std::string ids(reinterpret_cast<const char*>(tokens->data()), tokens->size() * sizeof((*tokens)[0]));
  for (const auto& entry : fs::recursive_directory_iterator(directory_.path())) {
    const std::string name = entry.path().filename();
    EXPECT_EQ(name.find(kCanary), std::string::npos);
    if (!entry.is_regular_file()) continue;
    const std::string bytes = read_test_file(entry.path());
    EXPECT_EQ(bytes.find(kCanary), std::string::npos) << name;
    EXPECT_EQ(bytes.find(ids.substr(0, 16)), std::string::npos) << name;
  }
}

TEST_F(DiskCache, HasNothingOfProgramsTemporaryChatsAndLockedStores) {
  server::ChatRequest request = turn();
  request.page.reset();
  served_->run(request);
  EXPECT_EQ(n_files_written(), 0);
  served_->backend->close_disk_cache();  // the store is locked
  served_->run(turn());
  open();
  EXPECT_EQ(n_files_written(), 0);
  // In memory whoever asks finds it; on the disk only who may leave something there.
  served_->run(turn());
  EXPECT_GT(served_->run(request)->collected().done->n_cached_tokens, 4 * kPageSize);
  restart();
  EXPECT_GE(n_files(), 4);
  EXPECT_EQ(served_->run(request)->collected().done->n_cached_tokens, 0);
}

TEST_F(DiskCache, WhatIsDeletedIsForgottenInMemoryAndOnTheDisk) {
  served_->run(turn());
  ASSERT_GE(n_files_written(), 4);
  served_->run(turn());
  // One that is being written leaves nothing either.
  auto reader = std::make_shared<Reader>();
  server::ChatRequest long_one = turn("whale");
  long_one.max_tokens = 400;
  ASSERT_TRUE(served_->submit(long_one, reader));
  ASSERT_TRUE(reader->wait_until([](const auto& events) { return !events.empty(); }));
  value_of(served_->backend->forget_prompts());
  EXPECT_EQ(n_files(), 0);
  ASSERT_TRUE(reader->wait_until_over());
  EXPECT_EQ(n_files_written(), 0);
  EXPECT_EQ(served_->run(turn())->collected().done->n_cached_tokens, 0);
  EXPECT_GE(n_files_written(), 4);  // it goes on
}

TEST(ModelIdentity, FollowsTheBytesOfTheModel) {
  TemporaryDirectory folder;
  fs::copy(repository_path("tests/goldens/models/qwen3"), folder.path(), fs::copy_options::recursive);
  const auto identity = [&] { return value_of(serve::model_identity(value_of(open_model(folder.path().string())))); };
  const std::string weights = folder.file("model.safetensors"), config = folder.file("config.json");
  const std::string first = identity();
  EXPECT_EQ(first, identity());
  const auto time = fs::last_write_time(weights);
  fs::last_write_time(weights, time + std::chrono::seconds(1));
  EXPECT_NE(first, identity());
  fs::last_write_time(weights, time);
  EXPECT_EQ(first, identity());
  // The same size and time, other numbers.
  std::string bytes = read_test_file(weights);
  bytes[bytes.size() - 1] = static_cast<char>(bytes.back() ^ 1);
  std::ofstream(weights, std::ios::binary) << bytes;
  fs::last_write_time(weights, time);
  EXPECT_NE(first, identity());
  bytes[bytes.size() - 1] = static_cast<char>(bytes.back() ^ 1);
  std::ofstream(weights, std::ios::binary) << bytes;
  fs::last_write_time(weights, time);
  EXPECT_EQ(first, identity());
  std::ofstream(config, std::ios::app) << " ";
  EXPECT_NE(first, identity());
}

}  // namespace
}  // namespace minke::testing
