// Internal to kernels: parts of a weight as panels of f32.
#pragma once

#include "kernels/gemm/gemm.h"

namespace minke {

// Rows (at most kGemmCols) in lanes: panel [cols.size()][kGemmCols]. cols.begin and cols.end are multiples of the dtype's
// block.
void transpose_weight(float* panel, const Weight& w, Range rows, Range cols, const KernelTable& table);

// Columns in lanes: panels of kGemmCols columns, [n][rows.size()][kGemmCols]. At most kGemmDepth rows.
void copy_weight(float* panels, const Weight& w, Range rows, Range cols, const KernelTable& table);

}  // namespace minke
