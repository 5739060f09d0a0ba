// Compiled with the flags of AVX-512 VNNI, so it includes nothing but what a kernel may include.
// What the Intel manual (volume 1, chapter 18, and the pages of the instructions) says that tiles do. The order of includes
// matters: the bodies are written over the vectors.
// clang-format off
#include "kernels/cpu/vec_avx512.h"
#include "kernels/cpu/packed/ints_avx512.h"
#include "kernels/cpu/amx/products.h"
#include "kernels/cpu/amx/probe.h"
#include "emulated_amx.h"
// clang-format on

namespace minke {
namespace {

constexpr int kTiles = 8, kMostRows = 16, kMostBytes = 64;

struct Tile {
  int n_rows = 0, n_bytes = 0;
  uint8_t rows[kMostRows][kMostBytes] = {};
};
thread_local Tile tiles[kTiles];
thread_local bool is_configured = false;
int64_t n_faults = 0;

void require(bool is_allowed) {
  if (!is_allowed) __atomic_add_fetch(&n_faults, 1, __ATOMIC_RELAXED);
}

struct EmulatedTiles {
  static void configure(const TileShapes& shapes) {
    require(shapes.palette == 1 && shapes.start_row == 0);
    for (uint8_t byte : shapes.reserved) require(byte == 0);
    for (int t = kTiles; t < 16; t++) require(shapes.n_rows[t] == 0 && shapes.row_bytes[t] == 0);
    for (int t = 0; t < kTiles; t++) {
      const int n_rows = shapes.n_rows[t], n_bytes = shapes.row_bytes[t];
      require(n_rows <= kMostRows && n_bytes <= kMostBytes && (n_rows == 0) == (n_bytes == 0));
      tiles[t] = {n_rows, n_bytes, {}};
    }
    is_configured = true;
  }
  static void release() {
    for (Tile& tile : tiles) tile = {};
    is_configured = false;
  }
  template <int kTile>
  static void clear() {
    require(is_configured);
    std::memset(tiles[kTile].rows, 0, sizeof(tiles[kTile].rows));
  }
  template <int kTile>
  static void load(const void* base, int64_t stride) {
    Tile& tile = tiles[kTile];
    require(is_configured && tile.n_rows > 0);
    std::memset(tile.rows, 0, sizeof(tile.rows));
    for (int r = 0; r < tile.n_rows; r++) {
      std::memcpy(tile.rows[r], static_cast<const uint8_t*>(base) + r * stride, static_cast<size_t>(tile.n_bytes));
    }
  }
  template <int kTile>
  static void store(void* base, int64_t stride) {
    const Tile& tile = tiles[kTile];
    require(is_configured && tile.n_rows > 0);
    for (int r = 0; r < tile.n_rows; r++) {
      std::memcpy(static_cast<uint8_t*>(base) + r * stride, tile.rows[r], static_cast<size_t>(tile.n_bytes));
    }
  }
  // TDPBSUD tmm1, tmm2, tmm3: signed bytes of tmm2, unsigned ones of tmm3.
  template <int kSums, int kX, int kCodes>
  static void dot() {
    Tile& sums = tiles[kSums];
    const Tile &x = tiles[kX], &codes = tiles[kCodes];
    require(is_configured && kSums != kX && kSums != kCodes && kX != kCodes);
    require(sums.n_rows == x.n_rows && sums.n_bytes == codes.n_bytes && x.n_bytes / 4 == codes.n_rows);
    require(sums.n_bytes % 4 == 0 && x.n_bytes % 4 == 0 && codes.n_bytes % 4 == 0);
    for (int m = 0; m < sums.n_rows; m++) {
      for (int k = 0; k < x.n_bytes / 4; k++) {
        for (int n = 0; n < sums.n_bytes / 4; n++) {
          uint32_t sum;
          std::memcpy(&sum, sums.rows[m] + 4 * n, sizeof(sum));
          for (int i = 0; i < 4; i++) {
            sum += static_cast<uint32_t>(static_cast<int8_t>(x.rows[m][4 * k + i]) * int{codes.rows[k][4 * n + i]});
          }
          std::memcpy(sums.rows[m] + 4 * n, &sum, sizeof(sum));
        }
      }
    }
  }
};

}  // namespace

namespace testing {

constexpr AmxUnit kEmulatedAmx = {.packed = tile_table<EmulatedTiles>(), .byte_dot_steps = tile_dot_steps<EmulatedTiles>};

int64_t n_tile_faults() { return __atomic_load_n(&n_faults, __ATOMIC_RELAXED); }

}  // namespace testing
}  // namespace minke
