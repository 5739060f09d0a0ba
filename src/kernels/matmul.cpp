#include "kernels/matmul.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/dequantize.h"
#include "kernels/ref/ref.h"

namespace minke {
namespace {

// Sizes of what stays in cache; they change no result. Bytes in brackets are f32.
constexpr int64_t kPanelRows = 8;             // rows of w that are decoded at a time: [8 * kDotBlock] = 32 KB, L1
constexpr int64_t kTokenBlock = 64;           // rows of x that meet a panel
constexpr int64_t kSlabElements = 64 * 1024;  // of x that are reused by all panels: 256 KB, L2
constexpr int64_t kDirectTokens = 8;          // up to here f16 and bf16 are widened in registers, beyond once per panel
constexpr int64_t kMinTokensPerPart = 8;

constexpr int64_t kColumnBlock = 256;  // of matmul_transposed; a multiple of every quant block
constexpr int64_t kRowBlock = 32;      // of matmul_transposed: [32 * 256] = 32 KB

struct Range {
  int64_t begin, end;
};

const uint8_t* as_bytes(const std::byte* p) { return reinterpret_cast<const uint8_t*>(p); }

size_t checked_row_bytes(const Weight& w) {
  auto bytes = row_bytes(w.dtype, w.n_cols);
  CHECK(bytes.has_value(), "rows of {} elements of {}", w.n_cols, dtype_name(w.dtype));
  return *bytes;
}

void check_shapes(Rows out, ConstRows x, const Weight& w, int64_t n_tokens, int64_t x_cols, int64_t out_cols) {
  CHECK(n_tokens >= 0 && w.n_rows >= 0 && w.n_cols >= 0, "n_tokens = {}, w [{}, {}]", n_tokens, w.n_rows, w.n_cols);
  CHECK(x.stride >= x_cols || n_tokens <= 1, "x.stride = {}, x [{}, {}]", x.stride, n_tokens, x_cols);
  CHECK(out.stride >= out_cols || n_tokens <= 1, "out.stride = {}, out [{}, {}]", out.stride, n_tokens, out_cols);
}

struct DotJob {
  Rows out;
  ConstRows x;
  const Weight& w;
  const KernelTable& table;
  size_t w_row_bytes;
};

// The kernel that reads w as it is stored, if there is one.
DotPanelFn direct_kernel(const DotJob& job, int64_t n_tokens) {
  if (job.w.scales != nullptr) return nullptr;
  if (job.w.dtype == DType::kF32) return job.table.dot_f32;
  if (n_tokens > kDirectTokens) return nullptr;
  if (job.w.dtype == DType::kF16) return job.table.dot_f16;
  if (job.w.dtype == DType::kBF16) return job.table.dot_bf16;
  return nullptr;
}

// Columns [cols.begin, cols.end) of x and w, a sub-range of one kDotBlock, for one panel of rows of w.
void dot_block(const DotJob& job, Range tokens, Range rows, Range cols, float* decoded) {
  const int64_t n_tokens = tokens.end - tokens.begin, n_rows = rows.end - rows.begin, k = cols.end - cols.begin;
  const Accumulate accumulate = cols.begin == 0 ? Accumulate::kOverwrite : Accumulate::kAdd;
  float* out = job.out.data + tokens.begin * job.out.stride + rows.begin;
  const float* x = job.x.data + tokens.begin * job.x.stride + cols.begin;
  if (DotPanelFn direct = direct_kernel(job, n_tokens)) {
    const size_t element_bytes = dtype_info(job.w.dtype).block_bytes;
    const uint8_t* w = as_bytes(job.w.data) + static_cast<size_t>(rows.begin) * job.w_row_bytes +
                       static_cast<size_t>(cols.begin) * element_bytes;
    direct(out, job.out.stride, x, job.x.stride, n_tokens, w, static_cast<int64_t>(job.w_row_bytes), n_rows, k, accumulate);
    return;
  }
  for (int64_t j = 0; j < n_rows; j++) {
    dequantize_part(decoded + j * kDotBlock, job.w, rows.begin + j, cols.begin, k, job.table.dequantize);
  }
  constexpr int64_t kDecodedStrideBytes = kDotBlock * static_cast<int64_t>(sizeof(float));
  job.table.dot_f32(out, job.out.stride, x, job.x.stride, n_tokens, reinterpret_cast<const uint8_t*>(decoded),
                    kDecodedStrideBytes, n_rows, k, accumulate);
}

// Panels are inside slabs of columns that keep x in L2. For few tokens a slab is a whole row, so that rows of w are read from
// memory in one go.
void dot_range(const DotJob& job, Range tokens, Range rows) {
  alignas(64) float decoded[kPanelRows * kDotBlock];
  const int64_t k = job.w.n_cols;
  for (int64_t t = tokens.begin; t < tokens.end; t += kTokenBlock) {
    const Range token_block = {t, std::min(t + kTokenBlock, tokens.end)};
    const int64_t slab = std::max(kSlabElements / (token_block.end - t) / kDotBlock, int64_t{1}) * kDotBlock;
    for (int64_t slab_begin = 0; slab_begin < k; slab_begin += slab) {
      for (int64_t r = rows.begin; r < rows.end; r += kPanelRows) {
        const Range panel = {r, std::min(r + kPanelRows, rows.end)};
        for (int64_t c = slab_begin; c < std::min(slab_begin + slab, k); c += kDotBlock) {
          dot_block(job, token_block, panel, {c, std::min(c + kDotBlock, k)}, decoded);
        }
      }
    }
  }
}

void fill_zero(Rows out, Range rows, int64_t n_cols) {
  for (int64_t i = rows.begin; i < rows.end; i++) std::fill_n(out.data + i * out.stride, n_cols, 0.0f);
}

void axpy_range(Rows out, ConstRows x, const Weight& w, Range tokens, Range cols, const KernelTable& table) {
  alignas(64) float decoded[kRowBlock * kColumnBlock];
  const int64_t n_tokens = tokens.end - tokens.begin;
  // For more tokens a copy pays: rows of w that lie a large power of two apart fight for the same lines of L1.
  const bool is_direct = w.dtype == DType::kF32 && w.scales == nullptr && n_tokens <= kDirectTokens;
  for (int64_t c = cols.begin; c < cols.end; c += kColumnBlock) {
    const int64_t n_cols = std::min(kColumnBlock, cols.end - c);
    float* out_block = out.data + tokens.begin * out.stride + c;
    for (int64_t i = 0; i < n_tokens; i++) std::fill_n(out_block + i * out.stride, n_cols, 0.0f);
    for (int64_t j = 0; j < w.n_rows; j += kRowBlock) {
      const int64_t m = std::min(kRowBlock, w.n_rows - j);
      const float* x_block = x.data + tokens.begin * x.stride + j;
      if (is_direct) {
        const float* w_block = reinterpret_cast<const float*>(w.row(j)) + c;
        table.axpy_panel(out_block, out.stride, x_block, x.stride, n_tokens, w_block, w.n_cols, m, n_cols);
        continue;
      }
      for (int64_t r = 0; r < m; r++) dequantize_part(decoded + r * kColumnBlock, w, j + r, c, n_cols, table.dequantize);
      table.axpy_panel(out_block, out.stride, x_block, x.stride, n_tokens, decoded, kColumnBlock, m, n_cols);
    }
  }
}

// Splits an output of n_tokens x n_blocks over the threads: by blocks, and by tokens too when there are fewer blocks than
// threads. run(tokens, blocks).
template <typename Run>
void split_output(int64_t n_tokens, int64_t n_blocks, const Context& context, Run run) {
  const int64_t n_threads = context.n_threads();
  if (n_blocks >= n_threads || n_tokens < 2 * kMinTokensPerPart) {
    context.parallel_for(n_blocks, 1, [&](int64_t begin, int64_t end) { run(Range{0, n_tokens}, Range{begin, end}); });
    return;
  }
  const int64_t n_parts = std::min((n_threads + n_blocks - 1) / n_blocks, n_tokens / kMinTokensPerPart);
  context.parallel_for(n_parts * n_blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; item++) {
      const int64_t part = item / n_blocks, block = item % n_blocks;
      run(Range{n_tokens * part / n_parts, n_tokens * (part + 1) / n_parts}, Range{block, block + 1});
    }
  });
}

}  // namespace

void matmul(Rows out, ConstRows x, const Weight& w, int64_t n_tokens, const Context& context) {
  check_shapes(out, x, w, n_tokens, w.n_cols, w.n_rows);
  if (n_tokens == 0 || w.n_rows == 0) return;
  if (w.n_cols == 0) return fill_zero(out, {0, n_tokens}, w.n_rows);
  if (context.isa == Isa::kRef) {
    context.parallel_for(w.n_rows, 1, [&](int64_t begin, int64_t end) { ref::matmul(out, x, w, n_tokens, begin, end); });
    return;
  }
  const DotJob job = {out, x, w, kernels(context.isa), checked_row_bytes(w)};
  const int64_t n_panels = (w.n_rows + kPanelRows - 1) / kPanelRows;
  split_output(n_tokens, n_panels, context.for_work(n_tokens * w.n_rows * w.n_cols), [&](Range tokens, Range panels) {
    dot_range(job, tokens, {panels.begin * kPanelRows, std::min(panels.end * kPanelRows, w.n_rows)});
  });
}

void matmul_transposed(Rows out, ConstRows x, const Weight& w, int64_t n_tokens, const Context& context) {
  check_shapes(out, x, w, n_tokens, w.n_rows, w.n_cols);
  if (n_tokens == 0 || w.n_cols == 0) return;
  if (w.n_rows == 0) return fill_zero(out, {0, n_tokens}, w.n_cols);
  if (context.isa == Isa::kRef) {
    context.parallel_for(n_tokens, 1, [&](int64_t begin, int64_t end) { ref::matmul_transposed(out, x, w, begin, end); });
    return;
  }
  const KernelTable& table = kernels(context.isa);
  const int64_t n_blocks = (w.n_cols + kColumnBlock - 1) / kColumnBlock;
  split_output(n_tokens, n_blocks, context.for_work(n_tokens * w.n_rows * w.n_cols), [&](Range tokens, Range blocks) {
    axpy_range(out, x, w, tokens, {blocks.begin * kColumnBlock, std::min(blocks.end * kColumnBlock, w.n_cols)}, table);
  });
}

void matmul(float* out, const float* x, const Weight& w, int64_t n_tokens, const Context& context) {
  matmul(Rows{out, w.n_rows}, ConstRows{x, w.n_cols}, w, n_tokens, context);
}

void matmul_transposed(float* out, const float* x, const Weight& w, int64_t n_tokens, const Context& context) {
  matmul_transposed(Rows{out, w.n_cols}, ConstRows{x, w.n_rows}, w, n_tokens, context);
}

}  // namespace minke
