// d_w += d_out^T x: 256 tokens at a time, both operands are copied so that the steps of a reduction lie one after the other.
#include "kernels/cpu/dispatch.h"
#include "kernels/gemm/gemm.h"
#include "kernels/ref/ref.h"

namespace minke {
namespace {

// Of a unit; they change no result. Copies of about [256, 128] f32 = 128 KB of each operand, L2.
constexpr int64_t kMostRows = 132;
constexpr int64_t kColumns = 128;
// Rows of d_w that meet a panel together, and the place of their factors: one line of 64 bytes for a step.
constexpr int64_t kGroupRows = 12;
constexpr int64_t kGroupStride = 16;

int64_t n_row_blocks(const GradientJob& job) { return ceil_divide(job.d_w.n_rows, kMostRows); }

int64_t n_units(const GradientJob& job) {
  return job.n_tokens == 0 ? 0 : n_row_blocks(job) * ceil_divide(job.d_w.n_cols, kColumns);
}

void set_rows(const uint8_t** pointers, ConstRows rows, const int32_t* indices, Range tokens) {
  for (int64_t t = tokens.begin; t < tokens.end; t++) {
    pointers[t - tokens.begin] = reinterpret_cast<const uint8_t*>(row_at(rows, indices, t));
  }
}

void add_block(const GradientJob& job, Range rows, Range cols, const GemmTable& table) {
  alignas(64) float factors[kMostRows / kGroupRows * kGroupStride * kGemmDepth];
  alignas(64) float panels[kGemmDepth * kColumns];
  const uint8_t* pointers[kGemmDepth];
  const int64_t n_groups = ceil_divide(rows.size(), kGroupRows);
  GemmArguments a = {};
  a.out_stride = job.d_w.n_cols;
  a.columns_stride = kGroupStride;
  a.b_stride = kGemmCols;
  a.sums = TileSums::kResume;
  for (int64_t t = 0; t < job.n_tokens; t += kGemmDepth) {
    a.depth = std::min(kGemmDepth, job.n_tokens - t);
    set_rows(pointers, job.x, job.x_rows, {t, t + a.depth});
    table.f32.copy(panels, kGemmCols, pointers, cols.begin, a.depth, cols.size());
    set_rows(pointers, job.d_out, job.d_out_rows, {t, t + a.depth});
    for (int64_t g = 0; g < n_groups; g++) {
      const Range group = part_of(rows.size(), g, n_groups);
      table.f32.copy(factors + g * a.depth * kGroupStride, kGroupStride, pointers, rows.begin + group.begin, a.depth,
                     group.size());
    }
    for (int64_t c = 0; c < cols.size(); c += kGemmCols) {
      a.b = panels + c * a.depth;
      a.n_cols = std::min(kGemmCols, cols.size() - c);
      for (int64_t g = 0; g < n_groups; g++) {
        const Range group = part_of(rows.size(), g, n_groups);
        a.columns = factors + g * a.depth * kGroupStride;
        a.n_rows = group.size();
        a.out = job.d_w.data + (rows.begin + group.begin) * job.d_w.n_cols + cols.begin + c;
        table.multiply(a);
      }
    }
  }
}

void check_job(const GradientJob& job) {
  const WeightGradient& d = job.d_w;
  CHECK(job.n_tokens >= 0 && d.n_rows >= 0 && d.n_cols >= 0, "n_tokens = {}, d_w [{}, {}]", job.n_tokens, d.n_rows, d.n_cols);
  CHECK(job.x.stride >= d.n_cols || job.n_tokens <= 1, "x.stride = {}, x [{}, {}]", job.x.stride, job.n_tokens, d.n_cols);
  CHECK(job.d_out.stride >= d.n_rows || job.n_tokens <= 1, "d_out.stride = {}, d_out [{}, {}]", job.d_out.stride, job.n_tokens,
        d.n_rows);
}

}  // namespace

void matmul_gradient_group(std::span<const GradientJob> jobs, const Context& context) {
  int64_t work = 0;
  for (const GradientJob& job : jobs) {
    check_job(job);
    work += job.n_tokens * job.d_w.n_rows * job.d_w.n_cols;
  }
  if (context.isa == Isa::kRef) {
    for (const GradientJob& job : jobs) {
      context.parallel_for(job.d_w.n_rows, 1, [&](int64_t begin, int64_t end) { ref::matmul_gradient(job, begin, end); });
    }
    return;
  }
  const GemmTable& table = kernels(context.isa).gemm;
  for_units(jobs, context.for_work(work), n_units, [&](const GradientJob& job, int64_t first, int64_t last) {
    for (int64_t unit = first; unit < last; unit++) {
      const Range rows = part_of(job.d_w.n_rows, unit % n_row_blocks(job), n_row_blocks(job));
      const int64_t col = unit / n_row_blocks(job) * kColumns;
      add_block(job, rows, {col, std::min(col + kColumns, job.d_w.n_cols)}, table);
    }
  });
}

}  // namespace minke
