#include "convert/piece.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "kernels/convert.h"

namespace minke {
namespace {

constexpr int64_t kChunkElements = int64_t{4} << 20;

// Values from here on round to infinity.
float overflow_limit(DType dtype) {
  switch (dtype) {
    case DType::kF16:
      return 65520.0f;
    case DType::kQ8_0:
      return 65520.0f * 127.0f;
    case DType::kBF16:
      return 0x1.FFp127f;
    default:
      return INFINITY;
  }
}

int64_t source_row(const Piece& piece, int64_t row) {
  if (piece.order == RowOrder::kSame) return row;
  int64_t n = piece.head_rows, in_head = row % n, head = row - in_head;
  bool to_pairs = piece.order == RowOrder::kHalvesToPairs;
  int64_t within = to_pairs ? in_head % 2 * (n / 2) + in_head / 2 : in_head % (n / 2) * 2 + in_head / (n / 2);
  return head + within;
}

// [n_rows, n_cols] of the transposed piece.
std::vector<float> transposed(const Weight& weight) {
  std::vector<float> rows(static_cast<size_t>(weight.n_rows * weight.n_cols)), out(rows.size());
  dequantize_weight_rows(rows.data(), weight, 0, weight.n_rows);
  for (int64_t r = 0; r < weight.n_rows; r++) {
    for (int64_t c = 0; c < weight.n_cols; c++) {
      out[static_cast<size_t>(c * weight.n_rows + r)] = rows[static_cast<size_t>(r * weight.n_cols + c)];
    }
  }
  return out;
}

// Writes a piece in chunks of rows; `fill(out, row)` makes the bytes of one row and says whether it fits the dtype.
template <typename Fill>
Status write_rows(const ByteSink& sink, std::string_view name, const Piece& piece, DType dtype, const Context& context,
                  Fill&& fill) {
  int64_t n_rows = piece.n_rows(), n_cols = piece.n_cols();
  auto bytes_per_row = row_bytes(dtype, n_cols);
  CHECK(bytes_per_row.has_value(), "{} columns of {}", n_cols, dtype_name(dtype));
  int64_t chunk = std::clamp<int64_t>(kChunkElements / std::max<int64_t>(n_cols, 1), 1, std::max<int64_t>(n_rows, 1));
  std::vector<std::byte> out(static_cast<size_t>(chunk) * *bytes_per_row);
  for (int64_t first = 0; first < n_rows; first += chunk) {
    int64_t n = std::min(chunk, n_rows - first);
    std::atomic<bool> fits{true};
    context.parallel_for(n, 1, [&](int64_t begin, int64_t end) {
      std::vector<float> scratch(static_cast<size_t>(n_cols));
      for (int64_t i = begin; i < end; i++) {
        if (!fill(out.data() + static_cast<size_t>(i) * *bytes_per_row, first + i, scratch)) fits = false;
      }
    });
    if (!fits) return error("tensor {}: a value is too large for {}; use bf16 or f32", name, dtype_name(dtype));
    TRY(sink(std::span(out).first(static_cast<size_t>(n) * *bytes_per_row)));
  }
  return {};
}

bool round_row(std::byte* out, DType dtype, const float* row, int64_t n) {
  float limit = overflow_limit(dtype);
  bool fits = true;
  for (int64_t i = 0; i < n; i++) fits = fits && !(std::abs(row[i]) >= limit && std::isfinite(row[i]));
  quantize_row(out, dtype, row, n);
  return fits;
}

Status write_piece(const ByteSink& sink, std::string_view name, const Piece& piece, DType dtype, const Context& context) {
  const Weight& weight = piece.weight;
  int64_t n_cols = piece.n_cols();
  if (piece.order == RowOrder::kTransposed) {
    std::vector<float> values = transposed(weight);
    return write_rows(sink, name, piece, dtype, context, [&](std::byte* out, int64_t row, std::vector<float>&) {
      return round_row(out, dtype, values.data() + row * n_cols, n_cols);
    });
  }
  if (weight.dtype == dtype && weight.scales == nullptr) {
    size_t bytes_per_row = *row_bytes(dtype, n_cols);
    return write_rows(sink, name, piece, dtype, context, [&](std::byte* out, int64_t row, std::vector<float>&) {
      std::memcpy(out, weight.row(source_row(piece, row)), bytes_per_row);
      return true;
    });
  }
  return write_rows(sink, name, piece, dtype, context, [&](std::byte* out, int64_t row, std::vector<float>& scratch) {
    dequantize_weight_rows(scratch.data(), weight, source_row(piece, row), 1);
    return round_row(out, dtype, scratch.data(), n_cols);
  });
}

}  // namespace

Status write_pieces(const ByteSink& sink, std::string_view name, const std::vector<Piece>& pieces, DType dtype,
                    const Context& context) {
  for (const Piece& piece : pieces) TRY(write_piece(sink, name, piece, dtype, context));
  return {};
}

bool is_exact_as(const Piece& piece, DType dtype) {
  int64_t n_cols = piece.weight.n_cols;
  auto bytes = row_bytes(dtype, n_cols);
  CHECK(bytes.has_value(), "{} columns of {}", n_cols, dtype_name(dtype));
  std::vector<float> values(static_cast<size_t>(n_cols)), again(values.size());
  std::vector<std::byte> rounded(*bytes);
  for (int64_t row = 0; row < piece.weight.n_rows; row++) {
    dequantize_weight_rows(values.data(), piece.weight, row, 1);
    quantize_row(rounded.data(), dtype, values.data(), n_cols);
    dequantize_row(again.data(), dtype, rounded.data(), n_cols);
    if (std::memcmp(values.data(), again.data(), values.size() * sizeof(float)) != 0) return false;
  }
  return true;
}

}  // namespace minke
