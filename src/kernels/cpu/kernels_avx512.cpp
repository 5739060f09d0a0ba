// Compiled with -mavx512f -mavx512bw -mavx512vl -mavx512dq; runs only where cpu_info found them.
// The order of includes matters: the bodies are written over the vectors.
// clang-format off
#include "kernels/cpu/vec_avx512.h"
#include "kernels/cpu/packed/ints_avx512.h"
#include "kernels/cpu/table_body.h"
#include "kernels/cpu/attention/lines_avx512.h"
#include "kernels/cpu/attention/table_body.h"
#include "kernels/cpu/optimizer/body.h"
// clang-format on

namespace minke {

constexpr KernelTable kAvx512Kernels = make_table();
constexpr AttentionTable kAvx512Attention = make_attention_table();
constexpr OptimizerTable kAvx512Optimizer = make_optimizer_table();

}  // namespace minke
