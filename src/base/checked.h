// Overflow-checked arithmetic for every size that comes from outside. One place, so that a fix fixes the class of bug.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <span>

namespace minke {

template <std::integral T>
[[nodiscard]] std::optional<T> checked_add(T a, T b) {
  T out;
  if (__builtin_add_overflow(a, b, &out)) return std::nullopt;
  return out;
}

template <std::integral T>
[[nodiscard]] std::optional<T> checked_mul(T a, T b) {
  T out;
  if (__builtin_mul_overflow(a, b, &out)) return std::nullopt;
  return out;
}

// Rounds up to a multiple of a power of two.
[[nodiscard]] inline std::optional<uint64_t> checked_align(uint64_t value, uint64_t alignment) {
  auto sum = checked_add<uint64_t>(value, alignment - 1);
  if (!sum) return std::nullopt;
  return *sum & ~(alignment - 1);
}

// Product of the dimensions of a shape; none for a negative dimension or past 2^63-1.
[[nodiscard]] inline std::optional<int64_t> checked_product(std::span<const int64_t> dims) {
  int64_t product = 1;
  bool has_zero = false;
  for (int64_t dim : dims) {
    if (dim < 0) return std::nullopt;
    if (dim == 0) {
      has_zero = true;
      continue;
    }
    auto next = checked_mul<int64_t>(product, dim);
    if (!next) return std::nullopt;
    product = *next;
  }
  return has_zero ? 0 : product;
}

}  // namespace minke
