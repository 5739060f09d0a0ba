// Which table serves which instruction set level.
#pragma once

#include "base/cpu_info.h"
#include "kernels/cpu/attention/table.h"
#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/optimizer/table.h"
#include "tensor/dtype.h"

namespace minke {

// Not for kRef, whose functions are in kernels/ref and have no tables.
const KernelTable& kernels(Isa isa);
const OptimizerTable& optimizer_kernels(Isa isa);
// The product with packed weights of this dtype.
PackedFn packed_kernel(DType dtype, Isa isa);
// For every level: the scalar definition has a table too.
const AttentionTable& attention_kernels(Isa isa);

}  // namespace minke
