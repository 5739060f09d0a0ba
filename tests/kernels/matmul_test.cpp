#include "kernels/matmul.h"

#include <gtest/gtest.h>

#include "kernel_cases.h"

namespace minke::testing {
namespace {

struct Case {
  DType dtype;
  int64_t n_tokens, m, k;
  int64_t block_rows = 0, block_cols = 0;  // of scales; 0 = none
};

std::string name_of(const Case& c) {
  return fmt::format("{} x [{}, {}] w [{}, {}] scales {}x{}", dtype_name(c.dtype), c.n_tokens, c.k, c.m, c.k, c.block_rows,
                     c.block_cols);
}

// Every length of tail against every dtype; several row counts; more than one block of k, of tokens, of columns.
std::vector<Case> product_cases() {
  std::vector<Case> cases;
  for (DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kF8E4M3, DType::kF8E5M2, DType::kF64}) {
    for (int64_t k : {1, 3, 15, 16, 17, 31, 32, 33, 64, 100, 128, 255, 256, 257, 512}) {
      for (int64_t n : {1, 2, 9, 17}) cases.push_back({dtype, n, 7, k});
    }
    for (int64_t n = 1; n <= 17; n++) cases.push_back({dtype, n, 1 + n % 5, 40});
    for (int64_t k : {1023, 1024, 1025, 2500}) cases.push_back({dtype, 3, 5, k});
    cases.push_back({dtype, 70, 19, 2100});
    cases.push_back({dtype, 1, 300, 70});
    cases.push_back({dtype, 64, 65, 300});
  }
  for (DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
    cases.push_back({dtype, 512, 33, 270});
  }
  for (const DTypeInfo& info : all_dtypes()) {
    if (!info.is_quantized) continue;
    for (int64_t n : {1, 5, 12}) cases.push_back({info.dtype, n, 11, 2 * info.block_elements});
    cases.push_back({info.dtype, 2, 3, 1280});
  }
  for (DType dtype : {DType::kF8E4M3, DType::kF8E5M2, DType::kBF16, DType::kF32}) {
    cases.push_back({dtype, 3, 300, 260, 128, 128});   // partial last blocks of rows and columns
    cases.push_back({dtype, 10, 256, 256, 128, 128});  // whole ones
    cases.push_back({dtype, 2, 9, 1300, 4, 96});       // blocks across the edge of a block of k
  }
  cases.push_back({DType::kF8E8M0, 2, 3, 37});
  return cases;
}

// Weight, and sum over c of |x| |w| for the bounds, of one case.
struct Problem {
  explicit Problem(const Case& c) : random(99), w(c.dtype, c.m, c.k, random) {
    if (c.block_rows > 0) w.add_scales(c.block_rows, c.block_cols, random);
  }
  Random random;
  OwnedWeight w;
};

std::vector<double> magnitudes(const PaddedRows& x, const std::vector<float>& w, const Case& c, bool transposed) {
  std::vector<double> sums(static_cast<size_t>(c.n_tokens * (transposed ? c.k : c.m)), 0.0);
  for (int64_t i = 0; i < c.n_tokens; i++) {
    for (int64_t j = 0; j < c.m; j++) {
      for (int64_t col = 0; col < c.k; col++) {
        const double factor = std::fabs(double{w[static_cast<size_t>(j * c.k + col)]});
        const size_t at = static_cast<size_t>(transposed ? i * c.k + col : i * c.m + j);
        sums[at] += factor * std::fabs(double{x.at(i, transposed ? j : col)});
      }
    }
  }
  return sums;
}

// A term of a sum goes through at most this many roundings: in its block, over blocks, and the ref's own.
double n_roundings(int64_t k) { return static_cast<double>(std::min(k, kSumBlock) + (k + kSumBlock - 1) / kSumBlock + 1); }

void scale_all(std::vector<double>& values, double factor) {
  for (double& value : values) value = value * factor + 1e-44;
}

TEST(Matmul, AgreesWithRef) {
  for (const Case& c : product_cases()) {
    Problem p(c);
    PaddedRows x(c.n_tokens, c.k, 3, p.random);
    PaddedRows expected(c.n_tokens, c.m, 2);
    matmul(expected.rows(), x.const_rows(), p.w.weight, c.n_tokens, ref_context());
    ASSERT_TRUE(expected.padding_is_untouched()) << name_of(c);
    std::vector<double> tolerance = magnitudes(x, p.w.values(), c, false);
    scale_all(tolerance, n_roundings(c.k) * kUnit);
    for (Isa isa : simd_isas()) {
      PaddedRows out(c.n_tokens, c.m, 2);
      matmul(out.rows(), x.const_rows(), p.w.weight, c.n_tokens, {nullptr, isa});
      EXPECT_TRUE(close(out.values(), expected.values(), tolerance)) << name_of(c) << " " << isa_name(isa);
      EXPECT_TRUE(out.padding_is_untouched()) << name_of(c) << " " << isa_name(isa);
    }
  }
}

TEST(MatmulTransposed, AgreesWithRef) {
  for (const Case& c : product_cases()) {
    Problem p(c);
    PaddedRows x(c.n_tokens, c.m, 3, p.random);
    PaddedRows expected(c.n_tokens, c.k, 2);
    matmul_transposed(expected.rows(), x.const_rows(), p.w.weight, c.n_tokens, ref_context());
    std::vector<double> tolerance = magnitudes(x, p.w.values(), c, true);
    scale_all(tolerance, n_roundings(c.m) * kUnit);
    for (Isa isa : simd_isas()) {
      PaddedRows out(c.n_tokens, c.k, 2);
      matmul_transposed(out.rows(), x.const_rows(), p.w.weight, c.n_tokens, {nullptr, isa});
      EXPECT_TRUE(close(out.values(), expected.values(), tolerance)) << name_of(c) << " " << isa_name(isa);
      EXPECT_TRUE(out.padding_is_untouched()) << name_of(c) << " " << isa_name(isa);
    }
  }
}

// The definition itself, on numbers that can be checked by hand.
TEST(Matmul, RefIsRowsOfWTimesRowsOfX) {
  const float w[6] = {1, 2, 3, 4, 5, 6}, x[3] = {1, 10, 100}, y[2] = {1, 10};
  const Weight weight{.n_rows = 2, .n_cols = 3, .data = reinterpret_cast<const std::byte*>(w)};
  for (Isa isa : available_isas()) {
    float out[2], back[3];
    matmul(out, x, weight, 1, {nullptr, isa});
    EXPECT_EQ(out[0], 321);
    EXPECT_EQ(out[1], 654);
    matmul_transposed(back, y, weight, 1, {nullptr, isa});
    EXPECT_EQ(back[0], 41);
    EXPECT_EQ(back[1], 52);
    EXPECT_EQ(back[2], 63);
  }
}

std::vector<Case> invariance_cases() {
  std::vector<Case> cases;
  for (DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kF8E4M3, DType::kQ8_0, DType::kQ4_K}) {
    cases.push_back({dtype, 17, 37, 2304});
    cases.push_back({dtype, 130, 21, 1280});
  }
  cases.push_back({DType::kF8E4M3, 17, 300, 1100, 128, 128});
  cases.push_back({DType::kBF16, 17, 13, 1045});
  return cases;
}

using MatmulFn = void (*)(Rows, ConstRows, const Weight&, int64_t, const Context&);

std::vector<float> product_values(MatmulFn product, const PaddedRows& x, const Case& c, int64_t out_cols, const Weight& w,
                                  const Context& context) {
  PaddedRows out(c.n_tokens, out_cols, 0);
  product(out.rows(), x.const_rows(), w, c.n_tokens, context);
  return out.values();
}

// One row of x alone gives the bits of the same row among many, on one thread and on several.
void expect_invariant(MatmulFn product, const Case& c, int64_t x_cols, int64_t out_cols) {
  Problem p(c);
  PaddedRows x(c.n_tokens, x_cols, 0, p.random);
  ThreadPool two(2), five(5);
  for (Isa isa : available_isas()) {
    SCOPED_TRACE(name_of(c) + " " + std::string(isa_name(isa)));
    const std::vector<float> whole = product_values(product, x, c, out_cols, p.w.weight, {nullptr, isa});
    EXPECT_TRUE(same_bits(product_values(product, x, c, out_cols, p.w.weight, {&two, isa}), whole));
    EXPECT_TRUE(same_bits(product_values(product, x, c, out_cols, p.w.weight, {&five, isa}), whole));
    for (int64_t n : {1, 2, 3, 4, 7, 12}) {
      for (int64_t first = 0; first + n <= std::min<int64_t>(c.n_tokens, 17); first += n) {
        std::vector<float> part(static_cast<size_t>(n * out_cols));
        product({part.data(), out_cols}, {x.data() + first * x.stride(), x.stride()}, p.w.weight, n, {&two, isa});
        EXPECT_TRUE(same_bits(part, std::span(whole).subspan(static_cast<size_t>(first * out_cols), part.size())))
            << "tokens " << first << " + " << n;
      }
    }
  }
}

TEST(Matmul, RowsDoNotDependOnTheBatchOrTheThreads) {
  for (const Case& c : invariance_cases()) expect_invariant(matmul, c, c.k, c.m);
}

TEST(MatmulTransposed, RowsDoNotDependOnTheBatchOrTheThreads) {
  for (const Case& c : invariance_cases()) expect_invariant(matmul_transposed, c, c.m, c.k);
}

// Rows [first, first + count) of w as a weight of their own give those columns of the whole product.
TEST(Matmul, SlicesOfRowsGiveTheSameBits) {
  ThreadPool two(2);
  for (const Case& c : invariance_cases()) {
    Problem p(c);
    PaddedRows x(c.n_tokens, c.k, 0, p.random);
    for (Isa isa : available_isas()) {
      const Context context = {&two, isa};
      const std::vector<float> whole = product_values(matmul, x, c, c.m, p.w.weight, context);
      for (auto [first, count] : {std::pair<int64_t, int64_t>{0, 1}, {3, 9}, {c.m - 1, 1}, {c.m / 2, c.m - c.m / 2}}) {
        const std::vector<float> part = product_values(matmul, x, c, count, p.w.weight.slice_rows(first, count), context);
        for (int64_t i = 0; i < c.n_tokens; i++) {
          EXPECT_TRUE(same_bits(std::span(part).subspan(static_cast<size_t>(i * count), static_cast<size_t>(count)),
                                std::span(whole).subspan(static_cast<size_t>(i * c.m + first), static_cast<size_t>(count))))
              << name_of(c) << " " << isa_name(isa) << " rows " << first << " + " << count << " token " << i;
        }
      }
    }
  }
}

TEST(Matmul, NothingToDo) {
  Random random(5);
  OwnedWeight w(DType::kF32, 4, 0, random), no_rows(DType::kF32, 0, 8, random);
  for (Isa isa : available_isas()) {
    const Context context = {nullptr, isa};
    std::vector<float> out(8, 7.0f);
    matmul(out.data(), nullptr, w.weight, 0, context);
    matmul_transposed(out.data(), nullptr, no_rows.weight, 0, context);
    EXPECT_EQ(out[0], 7.0f);
    matmul(out.data(), out.data(), w.weight, 2, context);  // sums over nothing
    EXPECT_EQ(out, std::vector<float>(8, 0.0f));
    std::fill(out.begin(), out.end(), 7.0f);
    matmul_transposed(out.data(), nullptr, no_rows.weight, 1, context);
    EXPECT_EQ(out, std::vector<float>(8, 0.0f));
  }
}

TEST(Matmul, NanStaysInItsRow) {
  Random random(6);
  OwnedWeight w(DType::kBF16, 9, 50, random);
  PaddedRows x(8, 50, 0, random);
  x.at(3, 49) = std::numeric_limits<float>::quiet_NaN();
  for (Isa isa : available_isas()) {
    PaddedRows out(8, 9, 0);
    matmul(out.rows(), x.const_rows(), w.weight, 8, {nullptr, isa});
    for (int64_t i = 0; i < 8; i++) {
      for (int64_t j = 0; j < 9; j++) EXPECT_EQ(std::isnan(out.at(i, j)), i == 3) << i << " " << j << " " << isa_name(isa);
    }
  }
}

TEST(MatmulDeath, RowsCloserThanTheirLength) {
  Random random(7);
  OwnedWeight w(DType::kF32, 4, 8, random);
  std::vector<float> x(64), out(64);
  EXPECT_DEATH(matmul({out.data(), 4}, {x.data(), 7}, w.weight, 2, ref_context()), "x.stride = 7");
  EXPECT_DEATH(matmul({out.data(), 3}, {x.data(), 8}, w.weight, 2, ref_context()), "out.stride = 3");
}

}  // namespace
}  // namespace minke::testing
