// Products of coded activations with panels by tiles of 16 tokens x 16 rows, for processors with AMX. Codes are decoded to
// bytes as for many tokens in packed/dot.h, in the order that the second factor of a product of tiles has: a row of it is four
// columns of each of 16 rows, a line. One product of tiles gives the sums of bytes between two scales; they join the outputs in
// the order of packed/dot.h, so the bits are the same. Fewer tokens than a tile go the way of packed/dot.h.
//
// `Tiles` is the instructions: AmxTiles (tiles.h), or in the tests what the manual says that they do. All tiles used are of
//   0 .. 3 sums [16, 16] i32 | 4, 5 activations [16, kScaleColumns] i8 | 6, 7 codes [kScaleColumns / 4, 16, 4] u8
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/cpu/packed/dot.h"

namespace minke {
namespace {

constexpr int kTileRows = 16;  // tokens
constexpr int kTileLine = 64;  // bytes of a row of sums or codes
constexpr int kSumTiles = 4;

// What LDTILECFG reads: the shapes of the tiles.
struct TileShapes {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t n_rows[16] = {};
};
static_assert(sizeof(TileShapes) == 64);

constexpr TileShapes tile_shapes(int n_columns) {
  TileShapes shapes;
  for (int t = 0; t < 8; t++) {
    shapes.n_rows[t] = static_cast<uint8_t>(t < 6 ? kTileRows : n_columns / 4);
    shapes.row_bytes[t] = static_cast<uint16_t>(t == 4 || t == 5 ? n_columns : kTileLine);
  }
  return shapes;
}

// A tile of tokens: their codes of some columns, and where their scales and sums lie.
struct TileTokens {
  CodedRow rows[kTileRows];
  const uint8_t* codes;
  int64_t stride;
};

// Up to kSumTiles sums of products from product `first` of a chunk on; product p is of columns [p, p + 1) * kScaleColumns.
template <typename F, typename Tiles>
inline void sums_of_products(int32_t (&sums)[kSumTiles][kTileRows][kTileRows], const TileTokens& x,
                             const DecodedTile<32 / F::kScaleColumns>& tile, int v, int64_t first, int64_t n) {
  constexpr int64_t kLinesPerProduct = F::kScaleColumns / 4;
  unroll<kSumTiles>([&](auto i) __attribute__((always_inline)) {
    if (i >= n) return;
    constexpr int kX = 4 + i % 2, kCodes = 6 + i % 2;
    const int64_t line = (first + i) * kLinesPerProduct;
    Tiles::template clear<i>();
    Tiles::template load<kX>(x.codes + 4 * line, x.stride);
    Tiles::template load<kCodes>(tile.codes[line / 8][line % 8][v], sizeof(tile.codes[0][0]));
    Tiles::template dot<i, kX, kCodes>();
    Tiles::template store<i>(sums[i], kTileLine);
  });
}

// Vector v of the decoded rows times 16 tokens, from a.out on unless this is the first chunk.
template <typename F, typename Tiles>
inline void multiply_tile_rows(const DecodedTile<32 / F::kScaleColumns>& tile, const PackedArguments& a, const TileTokens& x,
                               int64_t first_token, int v, int64_t row, int64_t first_block, int64_t n_blocks) {
  constexpr int kScalesPerBlock = 32 / F::kScaleColumns;
  const int64_t n_rows = a.n_rows - row;
  Vec acc[kTileRows];
#pragma GCC unroll 16
  for (int t = 0; t < kTileRows; t++) {
    const float* from = a.out + (first_token + t) * a.out_stride + row;
    acc[t] = first_block == 0 ? zero() : n_rows >= kVectorRows ? load(from) : load_first(from, n_rows, zero());
  }
  alignas(64) int32_t sums[kSumTiles][kTileRows][kTileRows];
  const int64_t n_products = n_blocks * kScalesPerBlock;
  for (int64_t first = 0; first < n_products; first += kSumTiles) {
    const int64_t n = std::min<int64_t>(kSumTiles, n_products - first);
    sums_of_products<F, Tiles>(sums, x, tile, v, first, n);
    for (int64_t i = 0; i < n; i++) {
      const int64_t b = (first + i) / kScalesPerBlock, s = (first + i) % kScalesPerBlock, block = first_block + b;
      const Vec scale = load(tile.scale[b][s][v]), min = F::kHasMin ? load(tile.min[b][s][v]) : zero();
#pragma GCC unroll 16
      for (int t = 0; t < kTileRows; t++) {
        const CodedRow& of_token = x.rows[t];
        const int32_t both = kCodeOffsetOf<F> == 0 ? 0 : of_token.sums()[block];
        const Ints offset = kScalesPerBlock == 1 ? offset_sum<kCodeOffsetOf<F>, true, true>(both)
                            : s == 0             ? offset_sum<kCodeOffsetOf<F>, true, false>(both)
                                                 : offset_sum<kCodeOffsetOf<F>, false, true>(both);
        const float* sum = kScalesPerBlock == 1 ? of_token.scaled_sums() + block : of_token.scaled_half_sums() + 2 * block + s;
        acc[t] = add_sum<F::kHasMin>(acc[t], add_ints(load_ints(sums[i][t]), offset), scale, broadcast(of_token.d()[block]),
                                     min, sum);
      }
    }
  }
  for (int t = 0; t < kTileRows; t++) write_rows(a.out + (first_token + t) * a.out_stride + row, acc[t], n_rows);
}

// 16 tokens times the decoded rows. Tokens picked by index are brought together first: rows of a tile are equally far apart.
template <typename F, typename Tiles>
void multiply_tile_tokens(const DecodedTile<32 / F::kScaleColumns>& tile, const PackedArguments& a, int64_t first_token,
                          int64_t first_row, int64_t first_block, int64_t n_blocks) {
  alignas(64) uint8_t gathered[kTileRows][kChunkBlocks * kBlockColumns];
  TileTokens x;
  for (int t = 0; t < kTileRows; t++) x.rows[t] = coded_row(a, first_token + t);
  x.codes = x.rows[0].codes(first_block);
  x.stride = a.x_stride;
  if (a.token_rows != nullptr) {
    for (int t = 0; t < kTileRows; t++) {
      std::memcpy(gathered[t], x.rows[t].codes(first_block), static_cast<size_t>(n_blocks * kBlockColumns));
    }
    x.codes = gathered[0];
    x.stride = sizeof(gathered[0]);
  }
  for (int v = 0; v < kTileVectors && first_row + v * kVectorRows < a.n_rows; v++) {
    multiply_tile_rows<F, Tiles>(tile, a, x, first_token, v, first_row + v * kVectorRows, first_block, n_blocks);
  }
}

template <typename F, typename Tiles>
void multiply_packed_tiles(const PackedArguments& a, int64_t n_tokens) {
  static_assert(kBytesAreUnsigned && kVectorRows == kTileRows);
  if (n_tokens < kTileRows) return multiply_packed<F>(a, n_tokens);
  alignas(64) constexpr TileShapes kShapes = tile_shapes(F::kScaleColumns);
  Tiles::configure(kShapes);
  for_decoded_tiles<F>(a, [&](const auto& tile, int64_t first_row, int64_t first, int64_t n) {
    int64_t t = 0;
    for (; t + kTileRows <= n_tokens; t += kTileRows) multiply_tile_tokens<F, Tiles>(tile, a, t, first_row, first, n);
    for (; t < n_tokens; t += kTileTokens) {
      multiply_tile<F>(tile, a, t, std::min<int64_t>(kTileTokens, n_tokens - t), first_row, first, n);
    }
  });
  Tiles::release();
}

template <typename Tiles>
constexpr PackedTable tile_table() {
  return {
      .q4_0 = multiply_packed_tiles<Q4_0, Tiles>,
      .q4_1 = multiply_packed_tiles<Q4_1, Tiles>,
      .q5_0 = multiply_packed_tiles<Q5_0, Tiles>,
      .q5_1 = multiply_packed_tiles<Q5_1, Tiles>,
      .q8_0 = multiply_packed_tiles<Q8_0, Tiles>,
      .q2_k = multiply_packed_tiles<Q2_K, Tiles>,
      .q3_k = multiply_packed_tiles<Q3_K, Tiles>,
      .q4_k = multiply_packed_tiles<Q4_K, Tiles>,
      .q5_k = multiply_packed_tiles<Q5_K, Tiles>,
      .q6_k = multiply_packed_tiles<Q6_K, Tiles>,
      .iq4_nl = multiply_packed_tiles<IQ4_NL, Tiles>,
      .iq4_xs = multiply_packed_tiles<IQ4_XS, Tiles>,
      .bf16 = nullptr,  // has a unit of its own
  };
}

}  // namespace
}  // namespace minke
