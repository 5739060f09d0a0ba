// Fetches the pages of the block that follows into L2 while a block is computed. A few queries are done with a page before the
// processor's own prefetchers have understood it, and lines that are asked for in a burst wait for each other and for nothing
// else: so every tile asks for as many as its share of the block's multiply-adds, and memory is busy all the time.
#pragma once

#include "kernels/cpu/attention/table.h"

namespace minke {
namespace {

class Fetch {
 public:
  explicit Fetch(const AttentionBlock& block) : block_(block) {
    const KvLayout& layout = *block.layout;
    int64_t n_pages = 0;
    while (n_pages < kBlockPages && block.next[n_pages] != nullptr) n_pages++;
    const int64_t work = block.n_rows * kBlockTokens * (layout.key_cols + layout.value_cols);
    if (n_pages > 0 && work > 0) per_work_ = ((n_pages * layout.head_bytes / 64) << kFractionBits) / work + 1;
    take_page();
  }
  Fetch(const Fetch&) = delete;
  Fetch& operator=(const Fetch&) = delete;

  // To be called with the multiply-adds that come next.
  void advance(int64_t n_multiply_adds) {
    due_ += n_multiply_adds * per_work_;
    for (; due_ >= (int64_t{1} << kFractionBits) && at_ != nullptr; due_ -= int64_t{1} << kFractionBits) {
      __builtin_prefetch(at_, 0, 2);
      at_ += 64;
      if (at_ >= end_) take_page();
    }
  }

 private:
  static constexpr int kFractionBits = 24;

  void take_page() {
    at_ = n_taken_ < kBlockPages ? reinterpret_cast<const uint8_t*>(block_.next[n_taken_++]) : nullptr;
    end_ = at_ == nullptr ? nullptr : at_ + block_.layout->head_bytes;
  }

  const AttentionBlock& block_;
  const uint8_t* at_ = nullptr;  // the next line; null: nothing is left
  const uint8_t* end_ = nullptr;
  int64_t n_taken_ = 0;
  int64_t per_work_ = 0, due_ = 0;  // lines, in 2^-kFractionBits
};

}  // namespace
}  // namespace minke
