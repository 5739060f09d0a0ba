// Counter-based random numbers: a value is a hash of (seed, index), so draws can be repeated, skipped and made in any order.
// splitmix64 (Steele, Lea, Flood 2014); neighbouring seeds give unrelated streams because seed and index are mixed, not added.
#pragma once

#include <cstdint>

namespace minke {

inline uint64_t splitmix64(uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

inline uint64_t mix_seed(uint64_t seed, uint64_t index) { return splitmix64(splitmix64(seed) ^ splitmix64(~index)); }

}  // namespace minke
