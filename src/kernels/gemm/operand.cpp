#include "kernels/gemm/operand.h"

namespace minke {
namespace {

const uint8_t* as_bytes(const void* p) { return static_cast<const uint8_t*>(p); }

// Null for what has to be decoded first.
const WeightTable* direct_table(const Weight& w, const GemmTable& table) {
  if (w.scales != nullptr) return nullptr;
  if (w.dtype == DType::kF32) return &table.f32;
  if (w.dtype == DType::kF16) return &table.f16;
  if (w.dtype == DType::kBF16) return &table.bf16;
  return nullptr;
}

int64_t bytes_of_row(const Weight& w) {
  auto bytes = row_bytes(w.dtype, w.n_cols);
  CHECK(bytes.has_value(), "rows of {} elements of {}", w.n_cols, dtype_name(w.dtype));
  return static_cast<int64_t>(*bytes);
}

}  // namespace

LaneRows::LaneRows(const Weight& w, Range rows, bool has_next, const KernelTable& table)
    : rows_(rows),
      table_(table),
      direct_(direct_table(w, table.gemm)),
      decoder_(w, table.dequantize),
      row_bytes_(bytes_of_row(w)),
      has_next_(has_next) {
  for (int64_t r = 0; r < kGemmCols; r++) {
    const int64_t row = r < rows.size() ? r : 0;
    pointers_[r] = direct_ != nullptr ? as_bytes(w.data) + (rows.begin + row) * row_bytes_ : as_bytes(decoded_ + row * kStride);
  }
}

WeightRows LaneRows::part(Range cols) {
  if (direct_ != nullptr) {
    // Beyond the end of row r lies row r + 1; row r of the following rows is one less further on.
    return {pointers_, cols.begin, cols.size(), row_bytes_, has_next_ ? (rows_.size() - 1) * row_bytes_ : 0};
  }
  for (int64_t r = 0; r < rows_.size(); r++) {
    decoder_.decode(decoded_ + r * kStride, rows_.begin + r, cols.begin, cols.size());
  }
  return {pointers_, 0, cols.size(), 0, 0};
}

void LaneRows::transpose(float* panel, Range cols) {
  (direct_ != nullptr ? direct_ : &table_.gemm.f32)->transpose(panel, part(cols));
}

void LaneRows::multiply_few(const GemmArguments& arguments, Range cols) {
  (direct_ != nullptr ? direct_ : &table_.gemm.f32)->forward(arguments, part(cols));
}

void LaneColumns::multiply(GemmArguments a, const Weight& w, Range rows, Range cols) {
  const WeightTable* direct = direct_table(w, table_.gemm);
  if (direct == nullptr) return multiply_decoded(a, w, rows, cols);
  const int64_t stride = bytes_of_row(w);
  const uint8_t* first_row = as_bytes(w.data) + rows.begin * stride;
  if (a.n_rows <= kFewTokens) {
    a.n_cols = cols.size();
    return direct->transposed(a, first_row + cols.begin * static_cast<int64_t>(dtype_info(w.dtype).block_bytes), stride);
  }
  const uint8_t* pointers[kGemmDepth];
  for (int64_t r = 0; r < rows.size(); r++) pointers[r] = first_row + r * stride;
  direct->copy(panels_, kGemmCols, pointers, cols.begin, rows.size(), cols.size());
  a.b_stride = kGemmCols;
  float* out = a.out;
  for (int64_t c = 0; c < cols.size(); c += kGemmCols) {
    a.out = out + c;
    a.b = panels_ + c * rows.size();
    a.n_cols = std::min(kGemmCols, cols.size() - c);
    table_.gemm.multiply(a);
  }
}

void LaneColumns::multiply_decoded(GemmArguments a, const Weight& w, Range rows, Range cols) {
  const PartDecoder decoder(w, table_.dequantize);
  for (int64_t r = 0; r < rows.size(); r++) decoder.decode(panels_ + r * kStride, rows.begin + r, cols.begin, cols.size());
  if (a.n_rows <= kFewTokens) {
    a.n_cols = cols.size();
    return table_.gemm.f32.transposed(a, as_bytes(panels_), kStride * static_cast<int64_t>(sizeof(float)));
  }
  a.b_stride = kStride;
  float* out = a.out;
  for (int64_t c = 0; c < cols.size(); c += kGemmCols) {
    a.out = out + c;
    a.b = panels_ + c;  // beyond the last column lies what is never stored
    a.n_cols = std::min(kGemmCols, cols.size() - c);
    table_.gemm.multiply(a);
  }
}

}  // namespace minke
