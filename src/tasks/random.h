// Draws for making problems: a counter-based stream that is the same on every machine and with every standard library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/rng.h"

namespace minke {

// FNV-1a, mixed once more so that texts which differ in their last character differ in every bit.
inline uint64_t hash_text(std::string_view text) {
  uint64_t hash = 0xCBF29CE484222325u;
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return splitmix64(hash);
}

class Draws {
 public:
  explicit Draws(uint64_t seed) : seed_(seed) {}

  uint64_t next() { return mix_seed(seed_, n_drawn_++); }

  // 0 .. n-1. The high half of a 128-bit product: its bias is below n / 2^64.
  int64_t below(int64_t n) {
    CHECK(n > 0, "n={}", n);
    return static_cast<int64_t>((static_cast<unsigned __int128>(next()) * static_cast<uint64_t>(n)) >> 64);
  }

  // first .. last, both included.
  int64_t between(int64_t first, int64_t last) { return first + below(last - first + 1); }

  // True once in `n` draws.
  bool one_in(int64_t n) { return below(n) == 0; }

  template <typename Items>
  const auto& pick(const Items& items) {
    return items[static_cast<size_t>(below(static_cast<int64_t>(std::size(items))))];
  }

  template <typename Items>
  void shuffle(Items& items) {
    for (size_t i = std::size(items); i > 1; --i) std::swap(items[i - 1], items[static_cast<size_t>(below(static_cast<int64_t>(i)))]);
  }

 private:
  uint64_t seed_;
  uint64_t n_drawn_ = 0;
};

}  // namespace minke
