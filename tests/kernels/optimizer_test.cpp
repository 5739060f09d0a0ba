// The optimizers' loops against their definitions, in every storage and on every instruction set.
#include "kernels/optimizer.h"

#include <gtest/gtest.h>

#include "kernel_cases.h"

namespace minke::testing {
namespace {

constexpr int64_t kSizes[] = {0, 1, 7, 8, 15, 16, 17, 33, 100, 1000};
constexpr double kBf16Unit = 0x1p-9;  // largest relative error of rounding to bf16

// Values, master and two moments of n numbers, filled from a seed.
struct Arrays {
  std::vector<float> master, grad;
  std::vector<std::byte> value, m, v;
  DType value_dtype, moment_dtype;
  bool has_master;

  Arrays(int64_t n, DType value_type, bool with_master, DType moment_type)
      : value_dtype(value_type), moment_dtype(moment_type), has_master(with_master) {
    Random random(static_cast<uint32_t>(n) + 1);
    master = random.floats(n);
    grad = random.floats(n, -3, 3);
    value = coded(master, value_dtype);
    m = coded(random.floats(n), moment_dtype);
    v = coded(random.floats(n, 0, 1), moment_dtype);
  }
  static std::vector<std::byte> coded(const std::vector<float>& x, DType dtype) {
    std::vector<std::byte> bytes(x.size() * dtype_info(dtype).block_bytes);
    quantize_row(bytes.data(), dtype, x.data(), static_cast<int64_t>(x.size()));
    return bytes;
  }
  std::vector<float> decoded(const std::vector<std::byte>& bytes, DType dtype) const {
    std::vector<float> x(master.size());
    dequantize_row(x.data(), dtype, bytes.data(), static_cast<int64_t>(x.size()));
    return x;
  }
  int64_t n() const { return static_cast<int64_t>(master.size()); }
  TrainedValues values() { return {{value.data(), value_dtype}, has_master ? master.data() : nullptr}; }
  // What an update works on.
  std::vector<float> precise() const { return has_master ? master : decoded(value, value_dtype); }
};

std::vector<Arrays> storages(int64_t n) {
  std::vector<Arrays> all;
  for (DType moment : {DType::kF32, DType::kBF16}) {
    all.emplace_back(n, DType::kF32, false, moment);
    all.emplace_back(n, DType::kBF16, false, moment);
    all.emplace_back(n, DType::kBF16, true, moment);
  }
  return all;
}

const AdamwNumbers kNumbers = {.beta1 = 0.9,
                               .beta2 = 0.95,
                               .eps = 1e-8,
                               .decay = 0.999,
                               .step_size = 0.02,
                               .inverse_root_correction = 1.3,
                               .grad_scale = 0.7};

void run_adamw(Arrays& a, Isa isa) {
  adamw(a.values(), {a.m.data(), a.moment_dtype}, {a.v.data(), a.moment_dtype}, a.grad.data(), a.n(), kNumbers, isa);
}

TEST(AdamwKernel, AgreesWithRefInEveryStorage) {
  for (int64_t n : kSizes) {
    for (const Arrays& start : storages(n)) {
      Arrays expected = start;
      run_adamw(expected, Isa::kRef);
      const std::vector<float> before = start.precise(), after = expected.precise();
      const std::vector<float> m = expected.decoded(expected.m, start.moment_dtype);
      // A stored number is rounded once more; the value moves by step_size * q, where m has four roundings of terms up to
      // |m| + |g|, v five of its own size, and root, products, sum and quotient add five.
      const double value_unit = start.value_dtype == DType::kBF16 && !start.has_master ? kBf16Unit : kUnit;
      const double moment_unit = start.moment_dtype == DType::kBF16 ? kBf16Unit : kUnit;
      std::vector<double> tolerance, m_tolerance;
      for (size_t i = 0; i < after.size(); i++) {
        const double moved = std::fabs(kNumbers.decay * before[i] - after[i]);
        const double m_error = 4 * kUnit * (std::fabs(m[i]) + 0.1 * 3 + 1);
        // v >= 0.05 g^2, so a number over its root is at most that number over 0.22 |g|; instead of that worst case, the
        // quotient of the moved distance to |m|.
        const double per_m = moved / std::max<double>(std::fabs(m[i]), 1e-3);
        tolerance.push_back(2 * value_unit * (std::fabs(after[i]) + moved) + 3 * kUnit * std::fabs(before[i]) +
                            per_m * m_error + 10 * kUnit * moved);
        m_tolerance.push_back(m_error + 2 * moment_unit * std::fabs(m[i]));
      }
      Arrays first = start;
      run_adamw(first, simd_isas()[0]);
      EXPECT_TRUE(close(first.precise(), after, tolerance)) << n;
      EXPECT_TRUE(close(first.decoded(first.m, start.moment_dtype), m, m_tolerance)) << n;
      for (Isa isa : simd_isas()) {
        Arrays out = start;
        run_adamw(out, isa);
        EXPECT_TRUE(out.value == first.value && out.m == first.m && out.v == first.v) << isa_name(isa) << " " << n;
        EXPECT_TRUE(same_bits(out.master, first.master)) << isa_name(isa) << " " << n;
        if (!start.has_master) continue;
        EXPECT_TRUE(out.value == Arrays::coded(out.master, DType::kBF16)) << "the value is the rounding of the master";
      }
    }
  }
}

TEST(MomentumKernel, AgreesWithRefAndNesterovLooksAhead) {
  for (int64_t n : kSizes) {
    for (const Arrays& start : storages(n)) {
      for (bool nesterov : {false, true}) {
        const MomentumNumbers numbers = {0.95, nesterov, 0.7};
        std::vector<float> expected(start.grad.size());
        Arrays ref = start;
        momentum(expected.data(), {ref.m.data(), ref.moment_dtype}, ref.grad.data(), n, numbers, Isa::kRef);
        std::vector<double> tolerance;
        for (float g : start.grad) tolerance.push_back(8 * kUnit * (std::fabs(g) + 1.0));  // the terms of three sums
        for (Isa isa : simd_isas()) {
          Arrays out = start;
          std::vector<float> update(start.grad.size());
          momentum(update.data(), {out.m.data(), out.moment_dtype}, out.grad.data(), n, numbers, isa);
          EXPECT_TRUE(close(update, expected, tolerance)) << n << " " << isa_name(isa);
          if (nesterov || start.moment_dtype == DType::kBF16) continue;
          EXPECT_TRUE(same_bits(update, out.decoded(out.m, DType::kF32)));
        }
      }
    }
  }
}

TEST(ApplyUpdateKernel, AgreesWithRef) {
  for (int64_t n : kSizes) {
    for (const Arrays& start : storages(n)) {
      Arrays ref = start;
      apply_update(ref.values(), ref.grad.data(), n, 0.99, 0.01, Isa::kRef);
      const double unit = start.value_dtype == DType::kBF16 && !start.has_master ? kBf16Unit : kUnit;
      const std::vector<double> tolerance(start.grad.size(), 2 * unit * 1.03 + 4 * kUnit);
      for (Isa isa : simd_isas()) {
        Arrays out = start;
        apply_update(out.values(), out.grad.data(), n, 0.99, 0.01, isa);
        EXPECT_TRUE(close(out.precise(), ref.precise(), tolerance)) << n << " " << isa_name(isa);
      }
    }
  }
}

TEST(Bf16Storage, RoundsAsTheCodeOfTheFormatDoes) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  // Ties to even, carries into the exponent, overflow to infinity, subnormals, and what is not a number.
  std::vector<float> x = {1.00390625f, 1.01171875f, 1.9999999f, 3.4e38f, 1e-40f, -1e-40f, inf, -inf, nan, -nan, 0.0f, -0.0f};
  Random random(5);
  for (int i = 0; i < 200; i++) x.push_back(random.uniform(-2, 2));
  const std::vector<float> zeros(x.size(), 0.0f);
  for (Isa isa : simd_isas()) {
    std::vector<float> master = x;
    std::vector<std::byte> value(2 * x.size());
    apply_update({{value.data(), DType::kBF16}, master.data()}, zeros.data(), static_cast<int64_t>(x.size()), 1.0, 0.0, isa);
    for (size_t i = 0; i < x.size(); i++) {
      uint16_t code;
      std::memcpy(&code, value.data() + 2 * i, 2);
      EXPECT_EQ(code, f32_to_bf16(x[i] - 0.0f)) << x[i] << " " << isa_name(isa);
    }
  }
}

TEST(SumOfSquares, IsTheSumAndSeesWhatIsNotFinite) {
  Random random(6);
  for (int64_t n : kSizes) {
    std::vector<float> x = random.floats(n);
    double expected = 0;
    for (float value : x) expected += double{value} * value;
    const double sum = sum_of_squares(x.data(), n, Isa::kRef);
    EXPECT_NEAR(sum, expected, static_cast<double>(n) * 0x1p-53 * expected);
    for (Isa isa : simd_isas()) EXPECT_EQ(sum_of_squares(x.data(), n, isa), sum) << n << " " << isa_name(isa);
    for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      if (n == 0) continue;
      x[static_cast<size_t>(n) - 1] = bad;
      for (Isa isa : available_isas()) EXPECT_FALSE(std::isfinite(sum_of_squares(x.data(), n, isa)));
    }
  }
  const float large[2] = {3e38f, 3e38f};
  EXPECT_TRUE(std::isfinite(sum_of_squares(large, 2, best_isa())));
}

}  // namespace
}  // namespace minke::testing
