// Threads that use a store at once, and a disk that is full.
#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "store/state.h"
#include "store_support.h"

namespace minke::store {
namespace {

using testing::value_of;

class Threads : public StoreTest {};

TEST_F(Threads, ShareAStore) {
  constexpr int kThreads = 4;
  constexpr int kMessages = 12;
  const Id shared = conversation("shared");
  std::atomic<int> n_failed = 0;
  const auto work = [&](int thread) {
    const auto require = [&](bool condition) { n_failed += condition ? 0 : 1; };
    const auto own = store_->create_conversation(fmt::format("own {}", thread), std::nullopt, thread == 0);
    for (int i = 0; i < kMessages; i++) {
      Message message;
      message.content = fmt::format("thread {} says {}", thread, i);
      require(store_->append(shared, message).has_value());
      require(store_->append(own->id, message).has_value());
      require(store_->search("says", 3).has_value());
      const std::string name = fmt::format("{}", i % 3);
      require(store_->put_derived(shared, "kv", name, bytes_of(message.content)).has_value());
      const auto blob = store_->get_derived(shared, "kv", name);
      require(blob.has_value() && *blob && (*blob)->starts_with("thread "));
      require(store_->change(shared, {.pinned = i % 2 == 0}).has_value());
      require(store_->list().size() >= 2);
      if (i % 5 == 0) require(store_->collect().has_value());
      if (i % 6 == 0) require(store_->sweep().has_value());
    }
    if (thread % 2 == 1) require(store_->remove({&own->id, 1}).has_value());
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; i++) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(n_failed, 0);
  EXPECT_EQ(load(shared).messages.size(), static_cast<size_t>(kThreads * kMessages));
  reopen();
  EXPECT_EQ(load(shared).messages.size(), static_cast<size_t>(kThreads * kMessages));
  EXPECT_EQ(store_->list().size(), 2u) << "one is shared, one was temporary, two were removed";
}

class FullDisk : public StoreTest {
 protected:
  // No file may grow beyond this; writing fails as on a full disk.
  void limit_files(rlim_t bytes) {
    rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = std::min(bytes, limit.rlim_max);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  void SetUp() override {
    StoreTest::SetUp();
    old_handler_ = std::signal(SIGXFSZ, SIG_IGN);
  }
  void TearDown() override {
    limit_files(RLIM_INFINITY);
    std::signal(SIGXFSZ, old_handler_);
  }
  void (*old_handler_)(int) = nullptr;
};

TEST_F(FullDisk, AnErrorAndNothingLost) {
  const Id id = conversation();
  const std::string text(20'000, 'x');
  limit_files(400'000);
  int64_t n_written = 0;
  Message message;
  message.content = text;
  Result<int64_t> appended = 0;
  while ((appended = store_->append(id, message))) {
    n_written = *appended;
    ASSERT_LT(n_written, 100);
  }
  EXPECT_GT(n_written, 3);
  EXPECT_NE(appended.error().message.find(kDatabaseName), std::string::npos) << appended.error().message;
  EXPECT_FALSE(store_->put_derived(id, "kv", "1", bytes_of(std::string(500'000, 'k'))).has_value());
  EXPECT_EQ(load(id).messages.size(), static_cast<size_t>(n_written));
  EXPECT_EQ(head(id).current, n_written);
  limit_files(RLIM_INFINITY);
  EXPECT_EQ(value_of(store_->append(id, message)), n_written + 1);
  reopen();
  EXPECT_EQ(load(id).messages.size(), static_cast<size_t>(n_written) + 1);
}

TEST_F(FullDisk, ADeletionIsFinishedLater) {
  const Id kept = conversation("kept");
  say(kept, Role::kUser, std::string(200'000, 'x'), 0);
  const Id gone = conversation("gone");
  say(gone, Role::kUser, "text", 0);
  reopen();  // the write-ahead log is empty now
  limit_files(100'000);
  EXPECT_ERROR(store_->remove({&gone, 1}), "deleted, but not yet wiped from the file; the next opening tries again");
  EXPECT_EQ(store_->list().size(), 1u);
  reopen();
  EXPECT_EQ(store_->list().size(), 1u) << "chats can be read while the disk is full";
  limit_files(RLIM_INFINITY);
  reopen();
  EXPECT_EQ(files_with(folder(), {reinterpret_cast<const char*>(gone.bytes.data()), gone.bytes.size()}),
            std::vector<std::string>());
  EXPECT_EQ(load(kept).messages.at(0).content.size(), 200'000u);
}

}  // namespace
}  // namespace minke::store
