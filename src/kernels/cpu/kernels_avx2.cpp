// Compiled with -mavx2 -mfma -mf16c; runs only where cpu_info found them.
#include "kernels/cpu/vec_avx2.h"

#include "kernels/cpu/table_body.h"

namespace minke {

constexpr KernelTable kAvx2Kernels = make_table();

}  // namespace minke
