// The kernels of amx/products.h on tiles that plain C++ emulates, so that they run where there is no AMX.
#pragma once

#include "kernels/cpu/kernel_table.h"

namespace minke::testing {

extern const AmxUnit kEmulatedAmx;

// How often an instruction was used on tiles whose shapes it does not allow, which raises an exception on a processor.
int64_t n_tile_faults();

}  // namespace minke::testing
