// Compiled with the flags of kernels_avx512.cpp and -mavx512vnni; runs only where cpu_info found them.
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

constexpr KernelTable kAvx512VnniKernels = make_table();
constexpr AttentionTable kAvx512VnniAttention = make_attention_table();
constexpr OptimizerTable kAvx512VnniOptimizer = make_optimizer_table();

}  // namespace minke
