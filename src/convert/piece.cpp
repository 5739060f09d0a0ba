#include "convert/piece.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "kernels/convert.h"
#include "quantize/quantize_row.h"

namespace minke {
namespace {

constexpr int64_t kChunkElements = int64_t{4} << 20;

int64_t source_row(const Piece& piece, int64_t row) {
  if (piece.order == RowOrder::kSame) return row;
  int64_t n = piece.head_rows, in_head = row % n, head = row - in_head;
  bool to_pairs = piece.order == RowOrder::kHalvesToPairs;
  int64_t within = to_pairs ? in_head % 2 * (n / 2) + in_head / 2 : in_head % (n / 2) * 2 + in_head / (n / 2);
  return head + within;
}

// row [n_cols] += scale * B[index] A, the sum first: it is small beside the weight.
void add_adapter(float* row, const Adapter& adapter, int64_t index) {
  const int64_t n_cols = adapter.a.n_cols;
  const auto* b = reinterpret_cast<const float*>(adapter.b.row(index));
  std::vector<float> sum(static_cast<size_t>(n_cols));
  for (int64_t k = 0; k < adapter.a.n_rows; k++) {
    const auto* a = reinterpret_cast<const float*>(adapter.a.row(k));
    for (int64_t c = 0; c < n_cols; c++) sum[static_cast<size_t>(c)] += b[k] * a[c];
  }
  for (int64_t c = 0; c < n_cols; c++) row[c] += adapter.scale * sum[static_cast<size_t>(c)];
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

// Of one row, and then of a tensor: the worst of its rows.
enum class RowFault { kNone, kNotFinite, kTooLarge };

Status check_fault(RowFault fault, std::string_view name, int64_t row, DType dtype) {
  switch (fault) {
    case RowFault::kNone:
      return {};
    case RowFault::kNotFinite:
      return error("tensor {}: row {} holds NaN or infinity, which {} cannot; the model is damaged", name, row,
                   dtype_name(dtype));
    case RowFault::kTooLarge:
      break;
  }
  return error("tensor {}: a value of row {} is too large for {}; use bf16 or f32", name, row, dtype_name(dtype));
}

// What became of a chunk of rows, row by row, so that sums do not depend on threads.
struct RowResult {
  RowFault fault = RowFault::kNone;
  ErrorSums errors;
};

// Where the rows of a tensor go.
struct Output {
  const ByteSink& sink;
  std::string_view name;
  const Coding& coding;
  const Context& context;
  int64_t n_written = 0;  // rows of the pieces before
};

// Writes a piece in chunks of rows; `fill(out, row, scratch, result)` makes the bytes of one row.
template <typename Fill>
Status write_rows(Output& output, const Piece& piece, Fill&& fill) {
  int64_t n_rows = piece.n_rows(), n_cols = piece.n_cols();
  DType dtype = output.coding.dtype;
  auto bytes_per_row = row_bytes(dtype, n_cols);
  CHECK(bytes_per_row.has_value(), "{} columns of {}", n_cols, dtype_name(dtype));
  int64_t chunk = std::clamp<int64_t>(kChunkElements / std::max<int64_t>(n_cols, 1), 1, std::max<int64_t>(n_rows, 1));
  std::vector<std::byte> out(static_cast<size_t>(chunk) * *bytes_per_row);
  std::vector<RowResult> results(static_cast<size_t>(chunk));
  for (int64_t first = 0; first < n_rows; first += chunk) {
    int64_t n = std::min(chunk, n_rows - first);
    output.context.parallel_for(n, 1, [&](int64_t begin, int64_t end) {
      std::vector<float> scratch(static_cast<size_t>(n_cols));
      for (int64_t i = begin; i < end; i++) {
        RowResult& result = results[static_cast<size_t>(i)] = {};
        fill(out.data() + static_cast<size_t>(i) * *bytes_per_row, first + i, scratch, result);
      }
    });
    for (int64_t i = 0; i < n; i++) {
      const RowResult& result = results[static_cast<size_t>(i)];
      TRY(check_fault(result.fault, output.name, output.n_written + first + i, dtype));
      if (output.coding.errors == nullptr) continue;
      output.coding.errors->error += result.errors.error;
      output.coding.errors->squares += result.errors.squares;
    }
    TRY(output.sink(std::span(out).first(static_cast<size_t>(n) * *bytes_per_row)));
  }
  output.n_written += n_rows;
  return {};
}

RowFault round_row(std::byte* out, DType dtype, const float* row, int64_t n) {
  float limit = overflow_limit(dtype);
  bool fits = true;
  for (int64_t i = 0; i < n; i++) fits = fits && !(std::abs(row[i]) >= limit && std::isfinite(row[i]));
  quantize_row(out, dtype, row, n);
  return fits ? RowFault::kNone : RowFault::kTooLarge;
}

ErrorSums measure(const std::byte* coded, DType dtype, const float* row, int64_t n) {
  std::vector<float> values(static_cast<size_t>(n));
  dequantize_row(values.data(), dtype, coded, n);
  ErrorSums sums;
  for (int64_t i = 0; i < n; i++) {
    const double value = row[i], difference = value - values[static_cast<size_t>(i)];
    sums.error += difference * difference;
    sums.squares += value * value;
  }
  return sums;
}

// target_row: in the whole tensor.
RowResult code_row(std::byte* out, const Output& output, const float* row, int64_t n, int64_t target_row) {
  const Coding& coding = output.coding;
  if (!coding.is_searched) return {round_row(out, coding.dtype, row, n), {}};
  const float* weights = coding.weights.of_row(target_row);
  switch (quantize_weighted_row(out, coding.dtype, row, weights, n, output.context.isa)) {
    case QuantizeFault::kNotFinite:
      return {RowFault::kNotFinite, {}};
    case QuantizeFault::kTooLarge:
      return {RowFault::kTooLarge, {}};
    case QuantizeFault::kNone:
      break;
  }
  return {RowFault::kNone, coding.errors == nullptr ? ErrorSums{} : measure(out, coding.dtype, row, n)};
}

Status write_piece(Output& output, const Piece& piece) {
  const Weight& weight = piece.weight;
  const int64_t n_cols = piece.n_cols(), before = output.n_written;
  if (piece.order == RowOrder::kTransposed) {
    std::vector<float> values = transposed(weight);
    return write_rows(output, piece, [&](std::byte* out, int64_t row, std::vector<float>&, RowResult& result) {
      result = code_row(out, output, values.data() + row * n_cols, n_cols, before + row);
    });
  }
  if (weight.dtype == output.coding.dtype && weight.scales == nullptr && piece.adapter == nullptr) {
    size_t bytes_per_row = *row_bytes(weight.dtype, n_cols);
    return write_rows(output, piece, [&](std::byte* out, int64_t row, std::vector<float>&, RowResult&) {
      std::memcpy(out, weight.row(source_row(piece, row)), bytes_per_row);
    });
  }
  return write_rows(output, piece, [&](std::byte* out, int64_t row, std::vector<float>& scratch, RowResult& result) {
    dequantize_weight_rows(scratch.data(), weight, source_row(piece, row), 1);
    if (piece.adapter != nullptr) add_adapter(scratch.data(), *piece.adapter, source_row(piece, row));
    result = code_row(out, output, scratch.data(), n_cols, before + row);
  });
}

}  // namespace

Status write_pieces(const ByteSink& sink, std::string_view name, const std::vector<Piece>& pieces, const Coding& coding,
                    const Context& context) {
  Output output{sink, name, coding, context};
  for (const Piece& piece : pieces) TRY(write_piece(output, piece));
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
