// The one thing that every kernel gets: which threads and which instruction set. A value; copy it freely.
#pragma once

#include <cstdint>
#include <utility>

#include "base/cpu_info.h"
#include "base/thread_pool.h"

namespace minke {

struct Context {
  ThreadPool* pool = nullptr;  // null: the caller's thread only
  Isa isa = Isa::kRef;

  int n_threads() const { return pool == nullptr ? 1 : pool->n_threads(); }

  // The same without other threads where the work is done before they would have begun: a few microseconds of multiply-adds.
  Context for_work(int64_t n_multiply_adds) const {
    constexpr int64_t kLeastWork = 256 << 10;
    return n_multiply_adds < kLeastWork ? Context{nullptr, isa} : *this;
  }

  // fn(begin, end) on disjoint ranges that cover [0, n_items); see ThreadPool.
  template <typename Fn>
  void parallel_for(int64_t n_items, int64_t grain, Fn&& fn) const {
    if (pool != nullptr) {
      pool->parallel_for(n_items, grain, std::forward<Fn>(fn));
    } else if (n_items > 0) {
      fn(int64_t{0}, n_items);
    }
  }
};

}  // namespace minke
