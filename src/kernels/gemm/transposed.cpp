// out = x w: columns of w lie in lanes as they are, and are copied into panels of f32, 256 rows at a time.
#include "kernels/cpu/dispatch.h"
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/operand.h"
#include "kernels/ref/ref.h"

namespace minke {
namespace {

// Sizes that change no result.
constexpr int64_t kColumns = 256;  // of a unit: [256 * 256] f32 = 256 KB of panels, L2. A multiple of every quant block
constexpr int64_t kMostTokens = 384;
constexpr int64_t kLeastTokens = 24;

struct Units {
  int64_t n_blocks, n_parts;
};

Units units_of(const MatmulJob& job, int64_t n_threads) {
  if (job.n_tokens == 0 || job.w->n_cols == 0) return {0, 0};
  const int64_t n_blocks = ceil_divide(job.w->n_cols, kColumns);
  const int64_t wanted = std::min(ceil_divide(2 * n_threads, n_blocks), job.n_tokens / kLeastTokens);
  return {n_blocks, std::max(ceil_divide(job.n_tokens, kMostTokens), n_blocks >= n_threads ? 1 : wanted)};
}

void multiply_block(const MatmulJob& job, const float* const* x_rows, Range tokens, Range cols, Accumulate accumulate,
                    const KernelTable& table) {
  LaneColumns lanes(table);
  GemmArguments a = {};
  a.out = job.out.data + tokens.begin * job.out.stride + cols.begin;
  a.out_stride = job.out.stride;
  a.rows = x_rows;
  a.n_rows = tokens.size();
  for (int64_t j = 0; j < job.w->n_rows; j += kGemmDepth) {
    a.rows_offset = j;
    a.depth = std::min(kGemmDepth, job.w->n_rows - j);
    a.sums = sums_of_block(j, accumulate);
    lanes.multiply(a, *job.w, {j, j + a.depth}, cols);
  }
}

void run_units(const MatmulJob& job, Range units, Units of, Accumulate accumulate, const KernelTable& table) {
  const float* x_rows[kMostTokens];
  for (int64_t unit = units.begin; unit < units.end; unit++) {
    const int64_t part = unit / of.n_blocks, block = unit % of.n_blocks;
    const Range tokens = part_of(job.n_tokens, part, of.n_parts);
    if (unit == units.begin || block == 0) {
      for (int64_t t = tokens.begin; t < tokens.end; t++) x_rows[t - tokens.begin] = row_at(job.x, job.token_rows, t);
    }
    const Range cols = {block * kColumns, std::min((block + 1) * kColumns, job.w->n_cols)};
    multiply_block(job, x_rows, tokens, cols, accumulate, table);
  }
}

void check_job(const MatmulJob& job) {
  const Weight& w = *job.w;
  CHECK(job.n_tokens >= 0 && w.n_rows >= 0 && w.n_cols >= 0, "n_tokens = {}, w [{}, {}]", job.n_tokens, w.n_rows, w.n_cols);
  CHECK(job.x.stride >= w.n_rows || job.n_tokens <= 1, "x.stride = {}, x [{}, {}]", job.x.stride, job.n_tokens, w.n_rows);
  CHECK(job.out.stride >= w.n_cols || job.n_tokens <= 1, "out.stride = {}, out [{}, {}]", job.out.stride, job.n_tokens,
        w.n_cols);
}

}  // namespace

void matmul_transposed_group(std::span<const MatmulJob> jobs, Accumulate accumulate, const Context& context) {
  int64_t work = 0;
  for (const MatmulJob& job : jobs) {
    check_job(job);
    work += job.n_tokens * job.w->n_rows * job.w->n_cols;
    if (job.w->n_rows == 0 && accumulate == Accumulate::kOverwrite) fill_zero(job.out, job.n_tokens, job.w->n_cols);
  }
  if (context.isa == Isa::kRef) {
    for (const MatmulJob& job : jobs) {
      context.parallel_for(job.n_tokens, 1,
                           [&](int64_t begin, int64_t end) { ref::matmul_transposed(job, accumulate, begin, end); });
    }
    return;
  }
  const KernelTable& table = kernels(context.isa);
  const Context used = context.for_work(work);
  auto units = [n = used.n_threads()](const MatmulJob& job) { return units_of(job, n); };
  for_units(
      jobs, used, [&](const MatmulJob& job) { return units(job).n_blocks * units(job).n_parts; },
      [&](const MatmulJob& job, int64_t first, int64_t last) {
        run_units(job, {first, last}, units(job), accumulate, table);
      });
}

}  // namespace minke
