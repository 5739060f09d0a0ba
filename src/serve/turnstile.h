// A lock that is given in the order of asking: engines of several models share the cores step by step, and none starves.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace minke::serve {

class Turnstile {
 public:
  void lock() {
    std::unique_lock lock(mutex_);
    const uint64_t mine = n_asked_++;
    changed_.wait(lock, [&] { return n_served_ == mine; });
  }
  void unlock() {
    {
      std::lock_guard lock(mutex_);
      n_served_++;
    }
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;  // of both
  std::condition_variable changed_;
  uint64_t n_asked_ = 0, n_served_ = 0;
};

}  // namespace minke::serve
