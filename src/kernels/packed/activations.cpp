#include "kernels/packed/activations.h"

#include "base/check.h"
#include "kernels/cpu/dispatch.h"

namespace minke {
namespace {

int64_t row_stride_int8(int64_t k) { return (k + 5 * (k / 8) + 63) / 64 * 64; }
int64_t row_stride_bf16(int64_t k) { return (2 * k + 63) / 64 * 64; }

}  // namespace

Codings codings_of(DType packed) { return {.int8 = packed != DType::kBF16, .bf16 = packed == DType::kBF16}; }

Codings codings_of(const Weight& weight) { return weight.is_packed ? codings_of(weight.dtype) : Codings{}; }

int64_t coded_bytes(Codings codings, int64_t n_tokens, int64_t n_cols) {
  CHECK(!codings.any() || n_cols % kCodeBlock == 0, "rows of {} columns", n_cols);
  return n_tokens * ((codings.int8 ? row_stride_int8(n_cols) : 0) + (codings.bf16 ? row_stride_bf16(n_cols) : 0));
}

Activations place_codes(ConstRows x, int64_t n_tokens, int64_t n_cols, Codings codings, uint8_t* memory) {
  Activations result{x, n_cols, {}, {}};
  if (codings.int8) {
    result.int8 = {memory, row_stride_int8(n_cols)};
    memory += n_tokens * result.int8.stride;
  }
  if (codings.bf16) result.bf16 = {memory, row_stride_bf16(n_cols)};
  return result;
}

void code_rows(const Activations& x, int64_t begin, int64_t end, Isa isa) {
  if (x.int8.data == nullptr && x.bf16.data == nullptr) return;
  const KernelTable& table = kernels(isa);
  for (int64_t t = begin; t < end; t++) {
    const float* row = x.rows.data + t * x.rows.stride;
    if (x.int8.data != nullptr) table.code_row(x.int8.data + t * x.int8.stride, row, x.n_cols);
    if (x.bf16.data != nullptr) table.code_row_bf16(x.bf16.data + t * x.bf16.stride, row, x.n_cols);
  }
}

Activations code_rows(ConstRows x, int64_t n_tokens, int64_t n_cols, Codings codings, uint8_t* memory, const Context& context) {
  const Activations result = place_codes(x, n_tokens, n_cols, codings, memory);
  // A row of a few thousand columns takes about a microsecond, less than waking another thread.
  context.parallel_for(n_tokens, 4, [&](int64_t begin, int64_t end) { code_rows(result, begin, end, context.isa); });
  return result;
}

}  // namespace minke
