// The bytes of a tensor to be written, as rows of tensors that exist: whole, reordered, transposed, dequantised, rounded.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "format/tensor_source.h"
#include "kernels/weight.h"
#include "model/weights.h"
#include "quantize/importance.h"

namespace minke {

// Halves [2, n/2] and pairs [n/2, 2] are the two orders of a head's rows: half-split RoPE and interleaved RoPE.
enum class RowOrder { kSame, kHalvesToPairs, kPairsToHalves, kTransposed };

struct Piece {
  Weight weight;
  RowOrder order = RowOrder::kSame;
  int64_t head_rows = 0;             // of one head, for the two reorderings
  const Adapter* adapter = nullptr;  // added to the weight: W + scale * B A, in f32

  int64_t n_rows() const { return order == RowOrder::kTransposed ? weight.n_cols : weight.n_rows; }
  int64_t n_cols() const { return order == RowOrder::kTransposed ? weight.n_rows : weight.n_cols; }
};

// How far values moved: sums over the elements of a tensor.
struct ErrorSums {
  double error = 0;    // of squared differences
  double squares = 0;  // of the values
};

// How rows become bytes of another dtype.
struct Coding {
  DType dtype = DType::kF32;
  // With quantize/quantize_row.h: scales are searched, and what is not finite is refused. Else rounded plainly.
  bool is_searched = false;
  RowWeights weights = {};      // of a search
  ErrorSums* errors = nullptr;  // of a search; null: nobody wants to know
};

// The pieces one after the other. Rows that have the dtype already are copied byte for byte. An error when a finite value
// would become infinite; it calls the tensor `name`.
Status write_pieces(const ByteSink& sink, std::string_view name, const std::vector<Piece>& pieces, const Coding& coding,
                    const Context& context);

// Whether every value is the same after rounding to the dtype.
bool is_exact_as(const Piece& piece, DType dtype);

}  // namespace minke
