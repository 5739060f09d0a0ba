// out = x w^T: 32 rows of w are turned into a panel whose lanes they are, 256 columns at a time; every block of tokens meets
// it.
#include "kernels/cpu/dispatch.h"
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/operand.h"
#include "kernels/ref/ref.h"

namespace minke {
namespace {

// Sizes that change no result.
constexpr int64_t kMostTokens = 384;  // rows of x that meet a panel: what turning it costs is shared by them
constexpr int64_t kLeastTokens = 24;  // where there are fewer panels than threads

struct Units {
  int64_t n_panels, n_parts;
};

Units units_of(const MatmulJob& job, int64_t n_threads) {
  if (job.n_tokens == 0 || job.w->n_rows == 0) return {0, 0};
  const int64_t n_panels = ceil_divide(job.w->n_rows, kGemmCols);
  const int64_t wanted = std::min(ceil_divide(2 * n_threads, n_panels), job.n_tokens / kLeastTokens);
  const int64_t n_parts = std::max(ceil_divide(job.n_tokens, kMostTokens), n_panels >= n_threads ? 1 : wanted);
  return {n_panels, n_parts};
}

// has_next: the next panel of the same weight follows.
void multiply_panel(const MatmulJob& job, const float* const* x_rows, Range tokens, Range rows, bool has_next,
                    Accumulate accumulate, const KernelTable& table) {
  alignas(64) float panel[kGemmDepth * kGemmCols];
  const int64_t k = job.w->n_cols;
  LaneRows lanes(*job.w, rows, has_next, table);
  GemmArguments a = {};
  a.out = job.out.data + tokens.begin * job.out.stride + rows.begin;
  a.out_stride = job.out.stride;
  a.rows = x_rows;
  a.b = panel;
  a.b_stride = kGemmCols;
  a.n_rows = tokens.size();
  a.n_cols = rows.size();
  for (int64_t c = 0; c < k; c += kGemmDepth) {
    a.rows_offset = c;
    a.depth = std::min(kGemmDepth, k - c);
    a.sums = sums_of_block(c, accumulate);
    if (a.n_rows <= kFewTokens) {
      lanes.multiply_few(a, {c, c + a.depth});
    } else {
      lanes.transpose(panel, {c, c + a.depth});
      table.gemm.multiply(a);
    }
  }
}

// Rows of a panel. Few tokens wait for memory, which delivers more than 16 long rows side by side slower; short ones follow
// each other so closely that it makes no difference, and more of them hide the latency of the additions.
int64_t panel_rows(const Weight& w, Range tokens) {
  constexpr int64_t kShortColumns = 256;
  return tokens.size() <= kFewTokens && w.n_cols > kShortColumns ? kGemmCols / 2 : kGemmCols;
}

void run_units(const MatmulJob& job, Range units, Units of, Accumulate accumulate, const KernelTable& table) {
  const float* x_rows[kMostTokens];
  for (int64_t unit = units.begin; unit < units.end; unit++) {
    const int64_t part = unit / of.n_panels, panel = unit % of.n_panels;
    const Range tokens = part_of(job.n_tokens, part, of.n_parts);
    if (unit == units.begin || panel == 0) {
      for (int64_t t = tokens.begin; t < tokens.end; t++) x_rows[t - tokens.begin] = row_at(job.x, job.token_rows, t);
    }
    const Range rows = {panel * kGemmCols, std::min((panel + 1) * kGemmCols, job.w->n_rows)};
    const bool has_next = unit + 1 < units.end && panel + 1 < of.n_panels;
    const int64_t step = panel_rows(*job.w, tokens);
    for (int64_t r = rows.begin; r < rows.end; r += step) {
      const Range piece = {r, std::min(r + step, rows.end)};
      multiply_panel(job, x_rows, tokens, piece, has_next || piece.end < rows.end, accumulate, table);
    }
  }
}

void check_job(const MatmulJob& job) {
  const Weight& w = *job.w;
  CHECK(job.n_tokens >= 0 && w.n_rows >= 0 && w.n_cols >= 0, "n_tokens = {}, w [{}, {}]", job.n_tokens, w.n_rows, w.n_cols);
  CHECK(job.x.stride >= w.n_cols || job.n_tokens <= 1, "x.stride = {}, x [{}, {}]", job.x.stride, job.n_tokens, w.n_cols);
  CHECK(job.out.stride >= w.n_rows || job.n_tokens <= 1, "out.stride = {}, out [{}, {}]", job.out.stride, job.n_tokens,
        w.n_rows);
}

}  // namespace

void matmul_group(std::span<const MatmulJob> jobs, Accumulate accumulate, const Context& context) {
  int64_t work = 0;
  for (const MatmulJob& job : jobs) {
    check_job(job);
    work += job.n_tokens * job.w->n_rows * job.w->n_cols;
    if (job.w->n_cols == 0 && accumulate == Accumulate::kOverwrite) fill_zero(job.out, job.n_tokens, job.w->n_rows);
  }
  if (context.isa == Isa::kRef) {
    for (const MatmulJob& job : jobs) {
      context.parallel_for(job.w->n_rows, 1, [&](int64_t begin, int64_t end) { ref::matmul(job, accumulate, begin, end); });
    }
    return;
  }
  const KernelTable& table = kernels(context.isa);
  const Context used = context.for_work(work);
  auto units = [n = used.n_threads()](const MatmulJob& job) { return units_of(job, n); };
  for_units(
      jobs, used, [&](const MatmulJob& job) { return units(job).n_panels * units(job).n_parts; },
      [&](const MatmulJob& job, int64_t first, int64_t last) {
        run_units(job, {first, last}, units(job), accumulate, table);
      });
}

}  // namespace minke
