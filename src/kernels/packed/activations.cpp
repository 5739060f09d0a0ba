#include "kernels/packed/activations.h"

#include "base/check.h"
#include "kernels/cpu/dispatch.h"

namespace minke {

int64_t coded_row_bytes(int64_t k) {
  CHECK(k % kCodeBlock == 0, "rows of {} columns", k);
  return (k + 5 * (k / 8) + 63) / 64 * 64;
}

CodedRows code_rows(uint8_t* memory, ConstRows x, int64_t n_tokens, int64_t n_cols, const Context& context) {
  const int64_t stride = coded_row_bytes(n_cols);
  const KernelTable& table = kernels(context.isa);
  // A row of a few thousand columns takes about a microsecond, less than waking another thread.
  context.parallel_for(n_tokens, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; t++) table.code_row(memory + t * stride, x.data + t * x.stride, n_cols);
  });
  return {memory, stride};
}

}  // namespace minke
