// The layout in which quantised weights meet the processor: panels of 16 rows.
//
// A block of a file (docs/formats.md) has a head of one or two 16-bit fields (scales, d and dmin) and a body of 32-bit words
// (codes and small scales). In a panel the same fields of 16 rows lie side by side:
//   heads  [n_blocks, n_heads, 16] of 16 bits, padded with zeros to a multiple of 64 bytes
//   bodies [n_blocks, body_words, 16] of 32 bits
// so one 64-byte line holds one word of each row: four columns of codes, or four bytes of scales. Nothing is decoded and
// nothing is lost: packing permutes bits, and a panel of 16 rows takes the bytes of its 16 rows (rows beyond the last are
// zeros). BF16 has no heads, and a word is two columns; a block stands for 32 of them. The only rearrangement inside a word is
// that of the fifth bits of Q5_0 and Q5_1, from bit c = column c to bit g of byte j = column 4 g + j, the order that the other
// formats have.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace minke {

constexpr int64_t kPanelRows = 16;
constexpr size_t kPanelLine = 64;  // bytes: one 32-bit word of each row

struct PackedFormat {
  DType dtype;
  size_t block_bytes;  // of the file
  int64_t block_columns;
  int n_heads;         // 16-bit fields of the head
  size_t head_offset;  // in the file's block
  size_t body_offset;
  int body_words;     // 32-bit
  bool has_bit_word;  // the first word holds the fifth bits of 32 columns
};

// Null for dtypes that are not packed: other floats.
const PackedFormat* packed_format(DType dtype);

// Sizes of one panel of rows of n_cols, which is a multiple of the format's block.
size_t panel_head_bytes(const PackedFormat& format, int64_t n_cols);
size_t panel_bytes(const PackedFormat& format, int64_t n_cols);
// Of n_rows rows.
size_t packed_bytes(const PackedFormat& format, int64_t n_rows, int64_t n_cols);

// n_words words of 16 rows that lie row_bytes apart: out [n_words, 16].
using InterleaveFn = void (*)(uint8_t* out, const uint8_t* rows, size_t row_bytes, int n_words);

// One panel from n_rows <= 16 rows of a file that lie row_bytes apart. out: panel_bytes, 64-byte aligned. `interleave` is the
// kernel of an instruction set, null for the plain loop.
void pack_panel(uint8_t* out, const PackedFormat& format, const uint8_t* rows, size_t row_bytes, int64_t n_rows, int64_t n_cols,
                InterleaveFn interleave);

// The inverse for one block: the file's bytes of block `block` of row `row` of a panel.
void unpack_block(uint8_t* out, const PackedFormat& format, const uint8_t* panel, int64_t row, int64_t block, int64_t n_cols);

}  // namespace minke
