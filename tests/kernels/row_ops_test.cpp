// Norm, SwiGLU, softmax, elementwise and rope against their definitions. n * kUnit below counts roundings of one result.
#include <gtest/gtest.h>

#include "kernel_cases.h"
#include "kernels/activation.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/elementwise.h"
#include "kernels/norm.h"
#include "kernels/rope.h"
#include "kernels/softmax.h"

namespace minke::testing {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr int64_t kDims[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 512, 1536, 7169};

// exp(r), relative to a result of at least 0.71: 0.5 from the reduced argument, 1.4 from the last steps of the polynomial (its
// other steps are multiplied by |r| < 0.35 more than once), 0.1 from its cut.
constexpr double kExpRoundings = 2;

double roundings_of_sum(int64_t n) { return std::ceil(static_cast<double>(n) / kLeastLanes) + 4; }

TEST(RmsNorm, AgreesWithRef) {
  Random random(21);
  for (int64_t dim : kDims) {
    const PaddedRows x(3, dim, 2, random);
    PaddedRows expected(3, dim, 1);
    const std::vector<float> weight = random.floats(dim, 0.5f, 2.0f);
    rms_norm(expected.rows(), x.rows(), weight.data(), 3, dim, 1e-2f, ref_context());
    // rstd: half of the error of the sum, of / dim and of + eps; then root, reciprocal, two products; and the ref's own.
    const double roundings = (roundings_of_sum(dim) + 2) / 2 + 5;
    std::vector<double> tolerance;
    for (float value : expected.values()) tolerance.push_back(roundings * kUnit * std::fabs(value));
    for (Isa isa : simd_isas()) {
      PaddedRows out(3, dim, 1), in_place = x;
      rms_norm(out.rows(), x.rows(), weight.data(), 3, dim, 1e-2f, {nullptr, isa});
      EXPECT_TRUE(close(out.values(), expected.values(), tolerance)) << dim << " " << isa_name(isa);
      EXPECT_TRUE(out.padding_is_untouched());
      rms_norm(in_place.rows(), in_place.const_rows(), weight.data(), 3, dim, 1e-2f, {nullptr, isa});
      EXPECT_TRUE(same_bits(in_place.values(), out.values())) << dim << " " << isa_name(isa);
    }
  }
}

TEST(RmsNorm, KnownValuesAndZeros) {
  const float x[4] = {3, -4, 0, 0}, weight[2] = {1, 2};
  for (Isa isa : available_isas()) {
    float out[4];
    rms_norm(out, x, weight, 2, 2, 0.5f, {nullptr, isa});
    EXPECT_NEAR(out[0], 3 / std::sqrt(13.0), 1e-6);
    EXPECT_NEAR(out[1], -8 / std::sqrt(13.0), 1e-6);
    EXPECT_EQ(out[2], 0);
  }
}

TEST(Swiglu, AgreesWithRef) {
  Random random(22);
  for (int64_t n : kDims) {
    std::vector<float> gate = random.floats(n, -30, 30), expected(gate.size()), up = random.floats(n);
    if (n > 8) gate[3] = 100, gate[5] = -100, gate[7] = kInfinity;
    swiglu(expected.data(), gate.data(), up.data(), n, ref_context());
    std::vector<double> tolerance;
    for (size_t i = 0; i < up.size(); i++) {
      // exp, +, /, *, and the ref's own. exp(-g) overflows below g = -88.7, where the result is 2.6e-37 * up.
      tolerance.push_back((kExpRoundings + 4) * kUnit * std::fabs(expected[i]) + 3e-37 * std::fabs(up[i]));
    }
    for (Isa isa : simd_isas()) {
      std::vector<float> out(gate.size());
      swiglu(out.data(), gate.data(), up.data(), n, {nullptr, isa});
      EXPECT_TRUE(close(out, expected, tolerance)) << n << " " << isa_name(isa);
    }
  }
}

TEST(Swiglu, RowsOfAJoinedProjection) {
  Random random(23);
  PaddedRows joined(5, 2 * 37, 3, random);
  for (Isa isa : available_isas()) {
    PaddedRows out(5, 37, 4);
    swiglu(out.rows(), joined.const_rows(), {joined.data() + 37, joined.stride()}, 5, 37, {nullptr, isa});
    EXPECT_TRUE(out.padding_is_untouched());
    for (int64_t i = 0; i < 5; i++) {
      std::vector<float> row(37);
      swiglu(row.data(), &joined.at(i, 0), &joined.at(i, 37), 37, {nullptr, isa});
      EXPECT_TRUE(same_bits(row, std::span(out.data() + i * out.stride(), 37)));
    }
  }
}

// The exponential itself, in every lane, from where it is 0 to where it is infinite.
TEST(Exponential, IsAccurateEverywhere) {
  std::vector<float> x;
  for (float value = -105; value < 90; value += 0.00913f) x.push_back(value);
  x.insert(x.end(), {0, -0.0f, -kInfinity, kInfinity, 88.72283f, 88.7229f, -103.97f, -103.98f});
  std::vector<float> expected, out(x.size());
  std::vector<double> tolerance;
  for (float value : x) {
    const double e = std::exp(double{value});
    expected.push_back(static_cast<float>(e));
    // The ref's own rounding, and that to the subnormal step.
    tolerance.push_back(std::isinf(expected.back()) ? 0 : (kExpRoundings + 1) * kUnit * e + 0x1p-149);
  }
  for (Isa isa : simd_isas()) {
    kernels(isa).exp_row(out.data(), x.data(), 0, static_cast<int64_t>(x.size()));
    EXPECT_TRUE(close(out, expected, tolerance)) << isa_name(isa);
    const float nan = kNan;
    kernels(isa).exp_row(out.data(), &nan, 0, 1);
    EXPECT_TRUE(std::isnan(out[0]));
    for (int64_t n : {1, 7, 9, 31}) {  // a lane does not matter
      for (int64_t first = 0; first + n <= 400; first += n) {
        std::vector<float> part(static_cast<size_t>(n)), whole(400);
        kernels(isa).exp_row(whole.data(), x.data() + 10000, 0, 400);
        kernels(isa).exp_row(part.data(), x.data() + 10000 + first, 0, n);
        ASSERT_TRUE(same_bits(part, std::span(whole).subspan(static_cast<size_t>(first), part.size())));
      }
    }
  }
}

std::vector<double> softmax_tolerance(const std::vector<float>& x, const std::vector<float>& probs, int64_t dim) {
  std::vector<double> tolerance(x.size());
  for (size_t row = 0; row < x.size(); row += static_cast<size_t>(dim)) {
    const std::span<const float> part(x.data() + row, static_cast<size_t>(dim));
    const double max = *std::max_element(part.begin(), part.end());
    double mean_distance = 0;  // x - max is rounded: its error is a relative one of exp(x - max)
    for (size_t c = 0; c < part.size(); c++) {
      if (probs[row + c] > 0) mean_distance += probs[row + c] * (max - part[c]);
    }
    for (size_t c = 0; c < part.size(); c++) {
      const double distance = std::isinf(part[c]) ? 0 : max - part[c];
      const double roundings = 2 * kExpRoundings + distance + mean_distance + roundings_of_sum(dim) + 3;
      tolerance[row + c] = roundings * kUnit * probs[row + c] + 4 * 0x1p-149;
    }
  }
  return tolerance;
}

TEST(Softmax, AgreesWithRef) {
  Random random(24);
  for (int64_t dim : kDims) {
    std::vector<float> x = random.floats(3 * dim, -20, 20), expected(x.size());
    if (dim > 4) x[1] = -kInfinity;
    softmax(expected.data(), x.data(), 3, dim, ref_context());
    const std::vector<double> tolerance = softmax_tolerance(x, expected, dim);
    for (Isa isa : simd_isas()) {
      std::vector<float> out(x.size());
      softmax(out.data(), x.data(), 3, dim, {nullptr, isa});
      EXPECT_TRUE(close(out, expected, tolerance)) << dim << " " << isa_name(isa);
      if (dim > 4) {
        EXPECT_EQ(out[1], 0.0f);
      }
    }
  }
}

TEST(LogSoftmax, AgreesWithRef) {
  Random random(25);
  for (int64_t dim : kDims) {
    std::vector<float> x = random.floats(3 * dim, -20, 20), expected(x.size()), probs(x.size());
    if (dim > 4) x[1] = -kInfinity;
    log_softmax(expected.data(), x.data(), 3, dim, ref_context());
    softmax(probs.data(), x.data(), 3, dim, ref_context());
    const std::vector<double> relative = softmax_tolerance(x, probs, dim);
    std::vector<double> tolerance;
    for (size_t i = 0; i < x.size(); i++) {
      // The relative error of the sum is an absolute one of its logarithm, which is minus the largest result; then the
      // roundings of x - max, of the logarithm (2, as libm's), of the last subtraction, and the ref's own.
      const size_t row = i / static_cast<size_t>(dim) * static_cast<size_t>(dim);
      const auto first = expected.begin() + static_cast<ptrdiff_t>(row);
      const size_t top = row + static_cast<size_t>(std::max_element(first, first + dim) - first);
      const double log_sum = std::fabs(double{expected[top]});
      const double roundings =
          std::isinf(x[i]) ? 0 : std::fabs(double{x[i]} - x[top]) + 2 * log_sum + 2 * std::fabs(double{expected[i]});
      tolerance.push_back(relative[top] / probs[top] + roundings * kUnit);
    }
    for (Isa isa : simd_isas()) {
      std::vector<float> out(x.size());
      log_softmax(out.data(), x.data(), 3, dim, {nullptr, isa});
      EXPECT_TRUE(close(out, expected, tolerance)) << dim << " " << isa_name(isa);
    }
  }
}

TEST(Entropy, AgreesWithRefAndKnowsUniformAndCertain) {
  Random random(27);
  for (int64_t dim : kDims) {
    const std::vector<float> x = random.floats(3 * dim, -20, 20);
    std::vector<float> expected(3);
    entropy(expected.data(), x.data(), 3, dim, ref_context());
    const std::vector<float> uniform(static_cast<size_t>(dim), 7.0f);
    std::vector<float> certain(static_cast<size_t>(dim), -100.0f);
    certain[0] = 100;
    for (Isa isa : available_isas()) {
      float out[3], one = -1;
      entropy(out, x.data(), 3, dim, {nullptr, isa});
      // Sums of dim products y exp(y), each at most 1/e in size, and of dim exponentials, in vectors of 8 or 16 sums; times 4
      // for the roundings of y (up to 40) in exp, which the quotient by a sum of at least 1 does not magnify.
      const double tolerance = kUnit * (4 * 40 + 2 * static_cast<double>(dim));
      for (int i = 0; i < 3; i++)
        EXPECT_NEAR(out[i], expected[static_cast<size_t>(i)], tolerance) << dim << " " << isa_name(isa);
      entropy(&one, uniform.data(), 1, dim, {nullptr, isa});
      EXPECT_NEAR(one, std::log(static_cast<double>(dim)), kUnit * (20 + static_cast<double>(dim)))
          << dim << " " << isa_name(isa);
      entropy(&one, certain.data(), 1, dim, {nullptr, isa});
      EXPECT_EQ(one, 0.0f) << dim << " " << isa_name(isa);
    }
  }
}

TEST(Softmax, RowsWithoutADistributionAreNan) {
  const std::vector<std::vector<float>> rows = {{1, kNan, 2}, {1, kInfinity, 2}, {-kInfinity, -kInfinity, -kInfinity}};
  for (Isa isa : available_isas()) {
    for (const std::vector<float>& row : rows) {
      float out[3], log_out[3];
      softmax(out, row.data(), 1, 3, {nullptr, isa});
      log_softmax(log_out, row.data(), 1, 3, {nullptr, isa});
      for (int c = 0; c < 3; c++) EXPECT_TRUE(std::isnan(out[c]) && std::isnan(log_out[c])) << isa_name(isa) << " " << row[1];
    }
  }
}

TEST(RowOps, DoNotDependOnOtherRowsOrThreads) {
  Random random(26);
  ThreadPool two(2);
  const int64_t n = 40, dim = 777;
  const std::vector<float> x = random.floats(n * dim), weight = random.floats(dim);
  for (Isa isa : available_isas()) {
    std::vector<float> norm(x.size()), probs(x.size()), silu(x.size()), row(static_cast<size_t>(dim));
    rms_norm(norm.data(), x.data(), weight.data(), n, dim, 1e-5f, {&two, isa});
    softmax(probs.data(), x.data(), n, dim, {&two, isa});
    swiglu(silu.data(), x.data(), x.data(), n * dim, {&two, isa});
    for (int64_t i = 0; i < n; i += 13) {
      const auto of = [&](const std::vector<float>& all) {
        return std::span(all).subspan(static_cast<size_t>(i * dim), static_cast<size_t>(dim));
      };
      rms_norm(row.data(), x.data() + i * dim, weight.data(), 1, dim, 1e-5f, {nullptr, isa});
      EXPECT_TRUE(same_bits(row, of(norm)));
      softmax(row.data(), x.data() + i * dim, 1, dim, {nullptr, isa});
      EXPECT_TRUE(same_bits(row, of(probs)));
      swiglu(row.data(), x.data() + i * dim, x.data() + i * dim, dim, {nullptr, isa});
      EXPECT_TRUE(same_bits(row, of(silu)));
    }
  }
}

TEST(Elementwise, ExactOnEveryElement) {
  Random random(27);
  ThreadPool two(2);
  const Context context = {&two, Isa::kRef};
  const std::vector<float> a = random.floats(20001), b = random.floats(20001);
  std::vector<float> sum(a.size()), scaled(a.size()), accumulated = b, biased(a.size());
  add(sum.data(), a.data(), b.data(), 20001, context);
  scale(scaled.data(), a.data(), 0.3f, 20001, context);
  axpy(accumulated.data(), 0.3f, a.data(), 20001, context);
  add_bias(biased.data(), a.data(), b.data(), 59, 339, context);
  for (size_t i = 0; i < a.size(); i++) {
    ASSERT_EQ(sum[i], a[i] + b[i]);
    ASSERT_EQ(scaled[i], 0.3f * a[i]);
    ASSERT_EQ(accumulated[i], b[i] + 0.3f * a[i]);
    ASSERT_EQ(biased[i], a[i] + b[i % 339]);
  }
}

struct Tables {
  Tables(int64_t n_positions, int64_t rope_dim) {
    for (int64_t pos = 0; pos < n_positions; pos++) {
      for (int64_t i = 0; i < rope_dim / 2; i++) {
        const double angle =
            static_cast<double>(pos) * std::pow(10000.0, -2.0 * static_cast<double>(i) / static_cast<double>(rope_dim));
        cos.push_back(static_cast<float>(std::cos(angle)));
        sin.push_back(static_cast<float>(std::sin(angle)));
      }
    }
    table = {cos.data(), sin.data(), n_positions, rope_dim};
  }
  std::vector<float> cos, sin;
  RopeTable table;
};

// Two heads of 10, of which the last 6 turn; padding after them stays.
TEST(Rope, TurnsThePlanesOfItsLayout) {
  const Tables tables(9, 6);
  const std::vector<int64_t> positions = {0, 8, 3};
  const RopeShape shape = {.n_tokens = 3, .n_heads = 2, .token_stride = 23, .head_stride = 10, .offset = 4};
  for (RopeLayout layout : {RopeLayout::kInterleaved, RopeLayout::kHalf}) {
    for (Isa isa : available_isas()) {
      Random random(28);
      const std::vector<float> before = random.floats(69);
      std::vector<float> after = before;
      std::vector<double> expected(before.begin(), before.end());
      apply_rope(after.data(), positions.data(), tables.table, shape, layout, {nullptr, isa});
      for (size_t t = 0; t < 3; t++) {
        for (size_t head = 0; head < 2; head++) {
          for (size_t i = 0; i < 3; i++) {
            const size_t start = t * 23 + head * 10 + 4;
            const size_t first = start + (layout == RopeLayout::kInterleaved ? 2 * i : i);
            const size_t second = layout == RopeLayout::kInterleaved ? first + 1 : first + 3;
            const size_t angle = static_cast<size_t>(positions[t]) * 3 + i;
            const double u = before[first], v = before[second], c = tables.cos[angle], s = tables.sin[angle];
            expected[first] = u * c - v * s;
            expected[second] = u * s + v * c;
          }
        }
      }
      // Two products and a sum of numbers below 1 and 2.
      for (size_t e = 0; e < after.size(); e++) EXPECT_NEAR(after[e], expected[e], 4 * kUnit) << e << " " << isa_name(isa);
      for (size_t e : {0, 3, 10, 13, 20, 22, 46}) EXPECT_EQ(after[e], before[e]) << e;
    }
  }
}

TEST(RopeDeath, PositionOutsideTheTable) {
  const Tables tables(4, 2);
  const int64_t position = 4;
  float x[2] = {1, 2};
  EXPECT_DEATH(apply_rope(x, &position, tables.table, {.n_tokens = 1}, RopeLayout::kHalf, ref_context()),
               "position 4 of token 0");
}

}  // namespace
}  // namespace minke::testing
