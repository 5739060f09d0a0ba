#include "kernels/packed/product.h"

#include "base/check.h"
#include "kernels/activation.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/packed/layout.h"

namespace minke {
namespace {

constexpr int64_t kUnitRows = 32;  // rows of one unit of work: two panels share the tiles of many tokens
// With many tokens, so many bytes of coded activations stay in L2 while the rows of a range go by, and so many rows of gate and
// up are computed before they are combined. They change no result.
constexpr int64_t kTokenBlockBytes = 384 << 10;
constexpr int64_t kGatedRows = 128;

void check_product(const Rows& out, const Activations& x, const Weight& w, int64_t n_tokens) {
  CHECK(x.n_cols == w.n_cols && (out.stride >= w.n_rows || n_tokens <= 1), "x [., {}], w [{}, {}], out.stride {}", x.n_cols,
        w.n_rows, w.n_cols, out.stride);
}

// The kernels of packed weights read coded activations; the scalar definition decodes the weights instead.
bool is_coded(const Weight& w, const Context& context) { return w.is_packed && context.isa != Isa::kRef; }

const CodedRows& coded_for(const Weight& w, const Activations& x) { return codings_of(w).bf16 ? x.bf16 : x.int8; }

struct Range {
  int64_t begin, end;
};

// The tokens in blocks: run(block) for each.
template <typename Run>
void for_token_blocks(const CodedRows& x, int64_t n_tokens, Run run) {
  constexpr int64_t kMultiple = 48;  // of the tokens in a tile, for every instruction set
  const int64_t block = std::max(kMultiple, kTokenBlockBytes / std::max<int64_t>(x.stride, 1) / kMultiple * kMultiple);
  for (int64_t t = 0; t < n_tokens; t += block) run(Range{t, std::min(t + block, n_tokens)});
}

// Tokens of a product times rows of w; rows.begin is a multiple of 16.
void multiply_rows(Rows out, const Activations& x, const Weight& w, const int32_t* token_rows, Range tokens, Range rows,
                   Isa isa) {
  const CodedRows& coded = coded_for(w, x);
  const PackedFormat& format = *packed_format(w.dtype);
  const int64_t bytes = static_cast<int64_t>(panel_bytes(format, w.n_cols));
  const PackedArguments arguments = {
      .out = out.data + tokens.begin * out.stride + rows.begin,
      .out_stride = out.stride,
      .x = coded.data + (token_rows == nullptr ? tokens.begin * coded.stride : 0),
      .x_stride = coded.stride,
      .token_rows = token_rows == nullptr ? nullptr : token_rows + tokens.begin,
      .k = w.n_cols,
      .panels = reinterpret_cast<const uint8_t*>(w.data) + rows.begin / kPanelRows * bytes,
      .panel_bytes = bytes,
      .head_bytes = static_cast<int64_t>(panel_head_bytes(format, w.n_cols)),
      .n_rows = rows.end - rows.begin,
  };
  packed_kernel(w.dtype, isa)(arguments, tokens.end - tokens.begin);
}

int64_t n_units(const Weight& w) { return (w.n_rows + kUnitRows - 1) / kUnitRows; }

// run(product, first_row, end_row) over all units of the products that `units_of` counts, spread over the threads.
template <typename Item, typename UnitsOf, typename Run>
void for_units(std::span<const Item> items, const Context& context, UnitsOf units_of, Run run) {
  int64_t total = 0, work = 0;
  for (const Item& item : items) {
    total += units_of(item);
    work += units_of(item) * kUnitRows * item.n_tokens * item.x->n_cols;
  }
  context.for_work(work).parallel_for(total, 1, [&](int64_t begin, int64_t end) {
    int64_t start = 0;
    for (const Item& item : items) {
      const int64_t n = units_of(item);
      const int64_t first = std::max(begin - start, int64_t{0}), last = std::min(end - start, n);
      start += n;
      if (first < last) run(item, first * kUnitRows, last * kUnitRows);
      if (start >= end) return;
    }
  });
}

// A few rows at a time when there are many tokens, so that gate and up are still in cache when they meet.
void gated_rows(const GatedProduct& p, Range tokens, Range rows, Isa isa) {
  const int64_t step = tokens.end - tokens.begin > 1 ? kGatedRows : rows.end - rows.begin;
  for (int64_t row = rows.begin; row < rows.end; row += step) {
    const Range part = {row, std::min(row + step, rows.end)};
    multiply_rows(p.out, *p.x, *p.gate, p.token_rows, tokens, part, isa);
    multiply_rows(p.up_out, *p.x, *p.up, p.token_rows, tokens, part, isa);
    for (int64_t t = tokens.begin; t < tokens.end; t++) {
      float* out = p.out.data + t * p.out.stride + row;
      kernels(isa).swiglu(out, out, p.up_out.data + t * p.up_out.stride + row, part.end - part.begin);
    }
  }
}

// Products of weights that are not packed, as many in one parallel loop as there is room for.
class FloatProducts {
 public:
  explicit FloatProducts(const Context& context) : context_(context) {}
  void add(const MatmulJob& job) {
    if (n_ == kMost) run();
    jobs_[n_++] = job;
  }
  void run() {
    if (n_ > 0) matmul_group({jobs_, n_}, Accumulate::kOverwrite, context_);
    n_ = 0;
  }

 private:
  static constexpr size_t kMost = 128;
  MatmulJob jobs_[kMost];
  size_t n_ = 0;
  const Context& context_;
};

// SwiGLU of the products that are not fused with it, in one loop over the rows of all.
template <typename IsFused>
void combine(std::span<const GatedProduct> products, const Context& context, IsFused is_fused) {
  auto n_rows = [&](const GatedProduct& p) { return is_fused(p) ? 0 : p.n_tokens; };
  int64_t total = 0;
  for (const GatedProduct& p : products) total += n_rows(p);
  context.parallel_for(total, 1, [&](int64_t begin, int64_t end) {
    int64_t start = 0;
    for (const GatedProduct& p : products) {
      const int64_t first = std::max(begin - start, int64_t{0}), last = std::min(end - start, n_rows(p));
      for (int64_t t = first; t < last; t++) {
        float* out = p.out.data + t * p.out.stride;
        swiglu(out, out, p.up_out.data + t * p.up_out.stride, p.gate->n_rows, {nullptr, context.isa});
      }
      start += n_rows(p);
    }
  });
}

}  // namespace

void multiply(std::span<const Product> products, const Context& context) {
  FloatProducts floats(context);
  for (const Product& p : products) {
    check_product(p.out, *p.x, *p.w, p.n_tokens);
    if (is_coded(*p.w, context)) {
      CHECK(coded_for(*p.w, *p.x).data != nullptr, "activations are not coded");
    } else {
      floats.add({p.out, p.x->rows, p.w, p.n_tokens, p.token_rows});
    }
  }
  floats.run();
  if (context.isa == Isa::kRef) return;
  for_units(
      products, context, [&](const Product& p) { return is_coded(*p.w, context) && p.n_tokens > 0 ? n_units(*p.w) : 0; },
      [&](const Product& p, int64_t first, int64_t last) {
        const Range rows = {first, std::min(last, p.w->n_rows)};
        for_token_blocks(coded_for(*p.w, *p.x), p.n_tokens,
                         [&](Range tokens) { multiply_rows(p.out, *p.x, *p.w, p.token_rows, tokens, rows, context.isa); });
      });
}

void multiply_gated(std::span<const GatedProduct> products, const Context& context) {
  auto is_fused = [&](const GatedProduct& p) { return is_coded(*p.gate, context) && is_coded(*p.up, context); };
  FloatProducts floats(context);
  for (const GatedProduct& p : products) {
    check_product(p.out, *p.x, *p.gate, p.n_tokens);
    check_product(p.up_out, *p.x, *p.up, p.n_tokens);
    if (is_fused(p)) continue;
    for (const Product& half :
         {Product{p.out, p.x, p.gate, p.n_tokens, p.token_rows}, Product{p.up_out, p.x, p.up, p.n_tokens, p.token_rows}}) {
      if (is_coded(*half.w, context)) {
        multiply({&half, 1}, context);
      } else {
        floats.add({half.out, half.x->rows, half.w, half.n_tokens, half.token_rows});
      }
    }
  }
  floats.run();
  combine(products, context, is_fused);
  if (context.isa == Isa::kRef) return;
  for_units(
      products, context, [&](const GatedProduct& p) { return is_fused(p) && p.n_tokens > 0 ? n_units(*p.gate) : 0; },
      [&](const GatedProduct& p, int64_t first, int64_t last) {
        for_token_blocks(coded_for(*p.gate, *p.x), p.n_tokens, [&](Range tokens) {
          gated_rows(p, tokens, {first, std::min(last, p.gate->n_rows)}, context.isa);
        });
      });
}

}  // namespace minke
