// Scratch memory for one forward pass: allocations are bumps, all are freed together by reset(), and the memory is kept, so
// that a second pass of the same size allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "base/check.h"

namespace minke {

class Arena {
 public:
  // n elements, 64-byte aligned, not initialised; valid until reset() or a rewind() past it.
  template <typename T>
  T* allocate(int64_t n) {
    CHECK(n >= 0, "n = {}", n);
    return reinterpret_cast<T*>(bytes(static_cast<size_t>(n) * sizeof(T)));
  }
  // Frees what was allocated after the mark was taken.
  struct Mark {
    size_t block = 0, used = 0;
  };
  Mark mark() const { return {current_, used_}; }
  void rewind(Mark mark) {
    current_ = mark.block;
    used_ = mark.used;
  }
  void reset() { rewind({}); }

 private:
  struct Free {
    void operator()(std::byte* p) const { std::free(p); }
  };
  struct Block {
    std::unique_ptr<std::byte[], Free> memory;
    size_t size;
  };

  std::byte* bytes(size_t n) {
    n = (n + 63) / 64 * 64;
    while (current_ < blocks_.size() && used_ + n > blocks_[current_].size) {
      current_++;
      used_ = 0;
    }
    if (current_ == blocks_.size()) {
      size_t size = n > kBlockBytes ? n : kBlockBytes;
      auto* memory = static_cast<std::byte*>(std::aligned_alloc(64, size));
      CHECK(memory != nullptr, "out of memory for {} bytes of scratch", size);
      blocks_.push_back({std::unique_ptr<std::byte[], Free>(memory), size});
    }
    std::byte* start = blocks_[current_].memory.get() + used_;
    used_ += n;
    return start;
  }

  static constexpr size_t kBlockBytes = size_t{1} << 20;
  std::vector<Block> blocks_;
  size_t current_ = 0, used_ = 0;
};

}  // namespace minke
