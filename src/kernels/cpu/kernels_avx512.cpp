// Compiled with -mavx512f -mavx512bw -mavx512vl -mavx512dq; runs only where cpu_info found them.
#include "kernels/cpu/vec_avx512.h"

#include "kernels/cpu/table_body.h"

namespace minke {

constexpr KernelTable kAvx512Kernels = make_table();

}  // namespace minke
