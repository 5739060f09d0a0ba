#include "base/thread_pool.h"

#include <algorithm>

#include "base/check.h"

namespace minke {
namespace {

// One pause takes 10 to 40 ns: a wait of some 20 to 80 microseconds before a thread goes to sleep. Decoding issues loops
// that are closer together than that; a sleeping thread costs a system call and about 50 microseconds to wake.
constexpr int kSpins = 2000;

template <typename Ready>
bool spin_until(Ready ready) {
  for (int i = 0; i < kSpins; i++) {
    if (ready()) return true;
    __builtin_ia32_pause();
  }
  return ready();
}

}  // namespace

ThreadPool::ThreadPool(int n_threads) {
  CHECK(n_threads >= 1 && n_threads <= 4096, "n_threads = {}", n_threads);
  // Workers look at workers_ in is_inside() only while a loop runs, which starts after this constructor.
  workers_.reserve(static_cast<size_t>(n_threads - 1));
  for (int part = 1; part < n_threads; part++) workers_.emplace_back([this, part] { work(part); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stop_.store(true, std::memory_order_release);
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

bool ThreadPool::is_inside() const {
  const std::thread::id self = std::this_thread::get_id();
  if (caller_.load(std::memory_order_relaxed) == self) return true;
  return std::any_of(workers_.begin(), workers_.end(), [&](const std::thread& worker) { return worker.get_id() == self; });
}

void ThreadPool::run(int64_t n_items, int64_t grain, Job job) {
  CHECK(n_items >= 0 && grain >= 1, "n_items = {}, grain = {}", n_items, grain);
  if (n_items == 0) return;
  const int64_t n_chunks = (n_items - 1) / grain + 1;
  job.n_items = n_items;
  job.grain = grain;
  job.n_parts = static_cast<int>(std::min<int64_t>(n_threads(), n_chunks));
  if (job.n_parts == 1 || is_inside()) {
    job.call(job.target, 0, n_items);
    return;
  }
  std::lock_guard turn(turn_);
  caller_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  {
    std::lock_guard lock(mutex_);
    job_ = job;
    n_pending_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
    epoch_.fetch_add(1, std::memory_order_release);
  }
  wake_.notify_all();
  run_part(job, 0);
  await_workers();
  caller_.store(std::thread::id(), std::memory_order_relaxed);
}

void ThreadPool::run_part(const Job& job, int part) const {
  if (part >= job.n_parts) return;
  const int64_t n_chunks = (job.n_items - 1) / job.grain + 1;
  const int64_t begin = n_chunks * part / job.n_parts * job.grain;
  const int64_t end = std::min(job.n_items, n_chunks * (part + 1) / job.n_parts * job.grain);
  if (begin < end) job.call(job.target, begin, end);
}

void ThreadPool::work(int part) {
  uint64_t seen = 0;
  while (await_job(seen)) {
    run_part(job_, part);
    if (n_pending_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      std::lock_guard lock(mutex_);  // the caller is either before its check or asleep, never between
      done_.notify_one();
    }
  }
}

bool ThreadPool::await_job(uint64_t& seen) {
  auto ready = [&] { return epoch_.load(std::memory_order_acquire) != seen || stop_.load(std::memory_order_acquire); };
  if (!spin_until(ready)) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, ready);
  }
  if (stop_.load(std::memory_order_acquire)) return false;
  seen = epoch_.load(std::memory_order_acquire);
  return true;
}

void ThreadPool::await_workers() {
  auto ready = [&] { return n_pending_.load(std::memory_order_acquire) == 0; };
  if (spin_until(ready)) return;
  std::unique_lock lock(mutex_);
  done_.wait(lock, ready);
}

}  // namespace minke
