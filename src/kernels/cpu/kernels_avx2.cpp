// Compiled with -mavx2 -mfma -mf16c; runs only where cpu_info found them.
// The order of includes matters: the bodies are written over the vectors.
// clang-format off
#include "kernels/cpu/vec_avx2.h"
#include "kernels/cpu/packed/ints_avx2.h"
#include "kernels/cpu/table_body.h"
#include "kernels/cpu/attention/lines_avx2.h"
#include "kernels/cpu/attention/table_body.h"
#include "kernels/cpu/optimizer/body.h"
// clang-format on

namespace minke {

constexpr KernelTable kAvx2Kernels = make_table();
constexpr AttentionTable kAvx2Attention = make_attention_table();
constexpr OptimizerTable kAvx2Optimizer = make_optimizer_table();

}  // namespace minke
