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
  for (int i = 1; i < n_threads; i++) workers_.emplace_back([this] { work(); });
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
  const int64_t n_grains = (n_items - 1) / grain + 1;
  job.n_items = n_items;
  job.grain = grain;
  job.n_chunks = std::min<int64_t>(n_grains, int64_t{n_threads()} * kChunksPerThread);
  if (n_threads() == 1 || job.n_chunks == 1 || is_inside()) {
    job.call(job.target, 0, n_items);
    return;
  }
  std::lock_guard turn(turn_);
  caller_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  {
    std::lock_guard lock(mutex_);
    job_ = job;
    n_pending_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
    next_chunk_.store(0, std::memory_order_relaxed);
    epoch_.fetch_add(1, std::memory_order_release);
  }
  wake_.notify_all();
  take_chunks(job);
  await_workers();
  caller_.store(std::thread::id(), std::memory_order_relaxed);
}

void ThreadPool::take_chunks(const Job& job) {
  const int64_t n_grains = (job.n_items - 1) / job.grain + 1;
  for (int64_t chunk; (chunk = next_chunk_.fetch_add(1, std::memory_order_relaxed)) < job.n_chunks;) {
    const int64_t begin = n_grains * chunk / job.n_chunks * job.grain;
    const int64_t end = std::min(job.n_items, n_grains * (chunk + 1) / job.n_chunks * job.grain);
    job.call(job.target, begin, end);
  }
}

void ThreadPool::work() {
  uint64_t seen = 0;
  while (await_job(seen)) {
    take_chunks(job_);
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
