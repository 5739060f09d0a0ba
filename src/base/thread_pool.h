// A fixed set of threads for data-parallel loops: parallel_for(n_items, grain, fn) calls fn(begin, end) on disjoint ranges
// that cover [0, n_items), at most kChunksPerThread for every thread. Every range starts at a multiple of the grain, so kernels
// can align tiles. Threads take the next range when they are done with one: a core that is slowed down by something else gets
// less of the work. The caller works too. Workers spin for some microseconds after a loop (the next one is usually near), then
// sleep.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace minke {

class ThreadPool {
 public:
  static constexpr int kChunksPerThread = 8;

  // n_threads counts the caller: 1 means no worker at all.
  explicit ThreadPool(int n_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int n_threads() const { return static_cast<int>(workers_.size()) + 1; }

  // A call from inside fn, on any thread of this pool, runs inline. Calls from several outside threads take turns.
  // fn must not throw, nor come back to this pool through a second one (it would wait for itself).
  template <typename Fn>
  void parallel_for(int64_t n_items, int64_t grain, Fn&& fn) {
    using Plain = std::remove_reference_t<Fn>;
    auto call = [](void* target, int64_t begin, int64_t end) { (*static_cast<Plain*>(target))(begin, end); };
    run(n_items, grain, Job{const_cast<void*>(static_cast<const void*>(std::addressof(fn))), call});
  }

 private:
  struct Job {
    void* target = nullptr;
    void (*call)(void* target, int64_t begin, int64_t end) = nullptr;
    int64_t n_items = 0;
    int64_t grain = 1;
    int64_t n_chunks = 0;
  };

  void run(int64_t n_items, int64_t grain, Job job);
  void take_chunks(const Job& job);
  void work();
  bool await_job(uint64_t& seen);
  void await_workers();
  bool is_inside() const;

  std::vector<std::thread> workers_;
  std::mutex turn_;                        // one outside caller at a time
  std::atomic<std::thread::id> caller_{};  // who runs the current loop

  // job_ is written by the caller before epoch_ grows and read by workers after they see it grow; the caller waits until
  // n_pending_ is 0 before it writes again.
  Job job_;
  std::atomic<uint64_t> epoch_{0};
  std::atomic<int> n_pending_{0};
  std::atomic<int64_t> next_chunk_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::condition_variable wake_;  // workers asleep: epoch_ grew or stop_
  std::condition_variable done_;  // caller asleep: n_pending_ is 0
};

}  // namespace minke
