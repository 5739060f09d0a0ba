// The most that products of tiles of bytes can do; see probe_body.h.
#pragma once

#include <cstdint>

#include "kernels/cpu/amx/products.h"

namespace minke {
namespace {

// Every step adds 16 x 16 sums of 64 products 3 * 1 to each of four tiles. Returns the operations done.
template <typename Tiles>
int64_t tile_dot_steps(int64_t n_steps) {
  alignas(64) constexpr TileShapes kShapes = tile_shapes(kTileLine);
  alignas(64) uint8_t left[kTileRows][kTileLine], right[kTileRows][kTileLine];
  alignas(64) uint32_t sums[kSumTiles][kTileRows][kTileRows];
  std::memset(left, 3, sizeof(left));
  std::memset(right, 1, sizeof(right));
  Tiles::configure(kShapes);
  Tiles::template load<4>(left, kTileLine);
  Tiles::template load<6>(right, kTileLine);
  unroll<kSumTiles>([&](auto i) __attribute__((always_inline)) { Tiles::template clear<i>(); });
  for (int64_t step = 0; step < n_steps; step++) {
    unroll<kSumTiles>([&](auto i) __attribute__((always_inline)) { Tiles::template dot<i, 4, 6>(); });
  }
  unroll<kSumTiles>([&](auto i) __attribute__((always_inline)) { Tiles::template store<i>(sums[i], kTileLine); });
  Tiles::release();
  const uint32_t expected = static_cast<uint32_t>(n_steps) * 3 * kTileLine;  // modulo 2^32, as the sums
  for (const auto& tile : sums) {
    for (const auto& row : tile) {
      for (uint32_t sum : row) {
        if (sum != expected) return 0;
      }
    }
  }
  return 2 * n_steps * kSumTiles * kTileRows * kTileRows * kTileLine;
}

}  // namespace
}  // namespace minke
