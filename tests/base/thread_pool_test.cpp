#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <set>

#include "base/context.h"

namespace minke::testing {
namespace {

TEST(ThreadPool, EveryItemOnce) {
  for (int n_threads : {1, 2, 3, 8}) {
    ThreadPool pool(n_threads);
    EXPECT_EQ(pool.n_threads(), n_threads);
    for (int64_t n_items : {0, 1, 2, 7, 8, 9, 1000}) {
      for (int64_t grain : {1, 4, 5000}) {
        std::vector<std::atomic<int>> counts(static_cast<size_t>(n_items));
        pool.parallel_for(n_items, grain, [&](int64_t begin, int64_t end) {
          EXPECT_LT(begin, end);
          EXPECT_EQ(begin % grain, 0);
          for (int64_t i = begin; i < end; i++) counts[static_cast<size_t>(i)]++;
        });
        for (auto& count : counts) ASSERT_EQ(count, 1) << n_threads << " threads, " << n_items << " items by " << grain;
      }
    }
  }
}

// A thread that is busy with its range does not hold up the others: they take what is left.
TEST(ThreadPool, RangesGoToWhoeverIsFree) {
  ThreadPool pool(4);
  for (int repeat = 0; repeat < 20; repeat++) {
    std::mutex mutex;
    std::map<std::thread::id, int64_t> items;
    std::atomic<int64_t> n_done{0};
    pool.parallel_for(64, 2, [&](int64_t begin, int64_t end) {
      EXPECT_EQ(begin % 2, 0);
      if (begin == 0) {
        while (n_done.load() < 64 - (end - begin)) std::this_thread::yield();
      }
      n_done += end - begin;
      std::lock_guard lock(mutex);
      items[std::this_thread::get_id()] += end - begin;
    });
    EXPECT_EQ(n_done.load(), 64);
    EXPECT_GE(items.size(), 2u);
  }
}

TEST(ThreadPool, NestedLoopsRunInline) {
  ThreadPool pool(3);
  std::atomic<int64_t> sum{0};
  std::atomic<int> n_foreign{0};
  pool.parallel_for(6, 1, [&](int64_t begin, int64_t end) {
    const std::thread::id self = std::this_thread::get_id();
    for (int64_t i = begin; i < end; i++) {
      pool.parallel_for(10, 1, [&](int64_t b, int64_t e) {
        if (std::this_thread::get_id() != self) n_foreign++;
        for (int64_t j = b; j < e; j++) sum += i * 10 + j;
      });
    }
  });
  EXPECT_EQ(sum, 60 * 59 / 2);
  EXPECT_EQ(n_foreign, 0);
}

// Long pauses let the workers fall asleep; short ones catch them spinning.
TEST(ThreadPool, ManyLoopsWithAndWithoutSleep) {
  ThreadPool pool(3);
  int64_t plain = 0;
  for (int repeat = 0; repeat < 2000; repeat++) {
    if (repeat % 100 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::vector<int64_t> parts(3, 0);
    pool.parallel_for(3, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) parts[static_cast<size_t>(i)] = i + repeat;
    });
    plain += parts[0] + parts[1] + parts[2];
  }
  EXPECT_EQ(plain, 2000 * 3 + 3 * (2000 * 1999 / 2));
}

TEST(ThreadPool, SeveralOutsideCallersTakeTurns) {
  ThreadPool pool(3);
  std::atomic<int64_t> sum{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; caller++) {
    callers.emplace_back([&] {
      for (int repeat = 0; repeat < 200; repeat++) {
        pool.parallel_for(30, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(sum, 4 * 200 * 30);
}

TEST(ThreadPool, OnePoolInsideAnother) {
  ThreadPool outer(2), inner(2);
  std::atomic<int> n{0};
  outer.parallel_for(2, 1, [&](int64_t, int64_t) {
    inner.parallel_for(4, 1, [&](int64_t begin, int64_t end) { n += static_cast<int>(end - begin); });
  });
  EXPECT_EQ(n, 8);
}

TEST(Context, WithoutAPoolTheCallerDoesAll) {
  const Context context;
  EXPECT_EQ(context.n_threads(), 1);
  int n_calls = 0;
  context.parallel_for(5, 1, [&](int64_t begin, int64_t end) {
    n_calls++;
    EXPECT_EQ(begin, 0);
    EXPECT_EQ(end, 5);
  });
  context.parallel_for(0, 1, [&](int64_t, int64_t) { n_calls++; });
  EXPECT_EQ(n_calls, 1);
}

TEST(ThreadPoolDeath, NoThreads) { EXPECT_DEATH(ThreadPool(0), "n_threads = 0"); }

}  // namespace
}  // namespace minke::testing
