// Which table serves which instruction set level.
#pragma once

#include "base/cpu_info.h"
#include "kernels/cpu/kernel_table.h"

namespace minke {

// Not for kRef, whose functions are in kernels/ref and have no tables.
const KernelTable& kernels(Isa isa);

}  // namespace minke
