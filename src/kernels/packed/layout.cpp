#include "kernels/packed/layout.h"

#include <cstring>

#include "base/check.h"

namespace minke {
namespace {

constexpr PackedFormat kFormats[] = {
    {DType::kQ4_0, 18, 32, 1, 0, 2, 4, false},      {DType::kQ4_1, 20, 32, 2, 0, 4, 4, false},
    {DType::kQ5_0, 22, 32, 1, 0, 2, 5, true},       {DType::kQ5_1, 24, 32, 2, 0, 4, 5, true},
    {DType::kQ8_0, 34, 32, 1, 0, 2, 8, false},      {DType::kQ2_K, 84, 256, 2, 80, 0, 20, false},
    {DType::kQ3_K, 110, 256, 1, 108, 0, 27, false}, {DType::kQ4_K, 144, 256, 2, 0, 4, 35, false},
    {DType::kQ5_K, 176, 256, 2, 0, 4, 43, false},   {DType::kQ6_K, 210, 256, 1, 208, 0, 52, false},
    {DType::kIQ4_NL, 18, 32, 1, 0, 2, 4, false},    {DType::kIQ4_XS, 136, 256, 2, 0, 4, 33, false},
    {DType::kBF16, 64, 32, 0, 0, 0, 16, false},
};

int64_t n_panels(int64_t n_rows) { return (n_rows + kPanelRows - 1) / kPanelRows; }

// Swaps bits a and b of the index of every bit of the word (b > a): the bits where only index bit a is set with those where
// only index bit b is set.
template <int a, int b>
constexpr uint32_t kOnlyFirst = [] {
  uint32_t mask = 0;
  for (int i = 0; i < 32; i++) {
    if (((i >> a) & 1) == 1 && ((i >> b) & 1) == 0) mask |= 1u << i;
  }
  return mask;
}();
template <int a, int b>
constexpr uint32_t swap_index_bits(uint32_t word) {
  constexpr int kDistance = (1 << b) - (1 << a);
  const uint32_t moved = ((word >> kDistance) ^ word) & kOnlyFirst<a, b>;
  return word ^ moved ^ (moved << kDistance);
}

// Bit 4 g + j goes to bit 8 j + g: of the index bits (g2 g1 g0 j1 j0), j moves above g.
constexpr uint32_t bits_by_byte(uint32_t word) {
  word = swap_index_bits<0, 2>(word);
  word = swap_index_bits<1, 3>(word);
  word = swap_index_bits<2, 3>(word);
  return swap_index_bits<2, 4>(word);
}

constexpr uint32_t bits_by_column(uint32_t word) {
  word = swap_index_bits<2, 4>(word);
  word = swap_index_bits<2, 3>(word);
  word = swap_index_bits<1, 3>(word);
  return swap_index_bits<0, 2>(word);
}

constexpr bool bit_orders_are_right() {
  for (int g = 0; g < 8; g++) {
    for (int j = 0; j < 4; j++) {
      const uint32_t column = 1u << (4 * g + j), byte = 1u << (8 * j + g);
      if (bits_by_byte(column) != byte || bits_by_column(byte) != column) return false;
    }
  }
  return true;
}
static_assert(bit_orders_are_right());

// Line by line: word `w` of each row, zeros for rows that do not exist.
void interleave_words(uint8_t* out, const uint8_t* rows, size_t row_bytes, int64_t n_rows, int n_words) {
  for (int w = 0; w < n_words; w++, out += kPanelLine) {
    for (int64_t r = 0; r < kPanelRows; r++) {
      if (r < n_rows) {
        std::memcpy(out + 4 * r, rows + static_cast<size_t>(r) * row_bytes + 4 * w, 4);
      } else {
        std::memset(out + 4 * r, 0, 4);
      }
    }
  }
}

// A line at a time: the compiler makes vectors of it.
void order_bits_by_byte(uint8_t* line) {
  uint32_t words[kPanelRows];
  std::memcpy(words, line, sizeof(words));
  for (int64_t r = 0; r < kPanelRows; r++) words[r] = bits_by_byte(words[r]);
  std::memcpy(line, words, sizeof(words));
}

size_t head_at(const PackedFormat& format, int64_t block, int head, int64_t row) {
  return 2 * static_cast<size_t>((block * format.n_heads + head) * kPanelRows + row);
}

}  // namespace

const PackedFormat* packed_format(DType dtype) {
  for (const PackedFormat& format : kFormats) {
    if (format.dtype == dtype) return &format;
  }
  return nullptr;
}

size_t panel_head_bytes(const PackedFormat& format, int64_t n_cols) {
  const size_t bytes = head_at(format, n_cols / format.block_columns, 0, 0);
  return (bytes + kPanelLine - 1) / kPanelLine * kPanelLine;
}

size_t panel_bytes(const PackedFormat& format, int64_t n_cols) {
  CHECK(n_cols % format.block_columns == 0, "rows of {} columns of {}", n_cols, dtype_name(format.dtype));
  return panel_head_bytes(format, n_cols) +
         static_cast<size_t>(n_cols / format.block_columns) * static_cast<size_t>(format.body_words) * kPanelLine;
}

size_t packed_bytes(const PackedFormat& format, int64_t n_rows, int64_t n_cols) {
  return static_cast<size_t>(n_panels(n_rows)) * panel_bytes(format, n_cols);
}

void pack_panel(uint8_t* out, const PackedFormat& format, const uint8_t* rows, size_t row_bytes, int64_t n_rows, int64_t n_cols,
                InterleaveFn interleave) {
  const int64_t n_blocks = n_cols / format.block_columns;
  const size_t heads = panel_head_bytes(format, n_cols), body = static_cast<size_t>(format.body_words) * kPanelLine;
  std::memset(out, 0, heads);
  for (int64_t b = 0; b < n_blocks; b++) {
    const uint8_t* block = rows + static_cast<size_t>(b) * format.block_bytes;
    for (int h = 0; h < format.n_heads; h++) {
      uint8_t* to = out + head_at(format, b, h, 0);
      const uint8_t* from = block + format.head_offset + 2 * static_cast<size_t>(h);
      for (int64_t r = 0; r < n_rows; r++) std::memcpy(to + 2 * r, from + static_cast<size_t>(r) * row_bytes, 2);
    }
    uint8_t* lines = out + heads + static_cast<size_t>(b) * body;
    if (interleave != nullptr && n_rows == kPanelRows) {
      interleave(lines, block + format.body_offset, row_bytes, format.body_words);
    } else {
      interleave_words(lines, block + format.body_offset, row_bytes, n_rows, format.body_words);
    }
    if (format.has_bit_word) order_bits_by_byte(lines);
  }
}

void unpack_block(uint8_t* out, const PackedFormat& format, const uint8_t* panel, int64_t row, int64_t block, int64_t n_cols) {
  for (int h = 0; h < format.n_heads; h++) {
    std::memcpy(out + format.head_offset + 2 * static_cast<size_t>(h), panel + head_at(format, block, h, row), 2);
  }
  const uint8_t* lines = panel + panel_head_bytes(format, n_cols) + static_cast<size_t>(block * format.body_words) * kPanelLine;
  for (int w = 0; w < format.body_words; w++) {
    uint32_t word;
    std::memcpy(&word, lines + static_cast<size_t>(w) * kPanelLine + 4 * static_cast<size_t>(row), 4);
    if (w == 0 && format.has_bit_word) word = bits_by_column(word);
    std::memcpy(out + format.body_offset + 4 * static_cast<size_t>(w), &word, 4);
  }
}

}  // namespace minke
