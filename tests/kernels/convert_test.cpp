#include "kernels/convert.h"

#include <gtest/gtest.h>

#include "kernel_cases.h"
#include "kernels/dequantize.h"

namespace minke::testing {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// The value of a small float by its definition, in doubles.
double value_of_code(uint32_t code, int exponent_bits, int mantissa_bits) {
  const uint32_t mantissa = code & ((1u << mantissa_bits) - 1);
  const int exponent = static_cast<int>((code >> mantissa_bits) & ((1u << exponent_bits) - 1));
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const double fraction = std::ldexp(mantissa, -mantissa_bits);
  const double magnitude = exponent == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1 + fraction, exponent - bias);
  return (code >> (exponent_bits + mantissa_bits)) & 1 ? -magnitude : magnitude;
}

TEST(Convert, EveryF16CodeHasItsValueAndReturns) {
  for (uint32_t code = 0; code < 65536; code++) {
    const float value = f16_to_f32(static_cast<uint16_t>(code));
    if ((code & 0x7C00) == 0x7C00 && (code & 0x3FF) != 0) {
      EXPECT_TRUE(std::isnan(value)) << code;
      const uint16_t back = f32_to_f16(value);
      EXPECT_TRUE((back & 0x7C00) == 0x7C00 && (back & 0x3FF) != 0 && (back & 0x8000) == (code & 0x8000)) << code;
      continue;
    }
    const double expected = (code & 0x7C00) == 0x7C00 ? (code & 0x8000 ? -INFINITY : INFINITY) : value_of_code(code, 5, 10);
    ASSERT_EQ(double{value}, expected) << code;
    ASSERT_EQ(std::signbit(value), (code & 0x8000) != 0) << code;
    ASSERT_EQ(f32_to_f16(value), code);
  }
}

TEST(Convert, EveryBf16CodeReturns) {
  for (uint32_t code = 0; code < 65536; code++) {
    const float value = bf16_to_f32(static_cast<uint16_t>(code));
    ASSERT_EQ(std::bit_cast<uint32_t>(value), code << 16);
    const uint16_t back = f32_to_bf16(value);
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(bf16_to_f32(back))) << code;
    } else {
      ASSERT_EQ(back, code);
    }
  }
}

TEST(Convert, EveryF8CodeHasItsValueAndReturns) {
  for (uint32_t code = 0; code < 256; code++) {
    const uint8_t byte = static_cast<uint8_t>(code);
    if ((code & 0x7F) == 0x7F) {
      EXPECT_TRUE(std::isnan(f8e4m3_to_f32(byte)));
      EXPECT_EQ(f32_to_f8e4m3(f8e4m3_to_f32(byte)), byte);
    } else {
      EXPECT_EQ(double{f8e4m3_to_f32(byte)}, value_of_code(code, 4, 3)) << code;
      EXPECT_EQ(f32_to_f8e4m3(f8e4m3_to_f32(byte)), byte);
    }
    if ((code & 0x7C) == 0x7C) {
      EXPECT_EQ(std::isnan(f8e5m2_to_f32(byte)), (code & 3) != 0) << code;
      EXPECT_EQ(std::isinf(f8e5m2_to_f32(byte)), (code & 3) == 0) << code;
    } else {
      EXPECT_EQ(double{f8e5m2_to_f32(byte)}, value_of_code(code, 5, 2)) << code;
    }
    if (!std::isnan(f8e5m2_to_f32(byte))) {
      EXPECT_EQ(f32_to_f8e5m2(f8e5m2_to_f32(byte)), byte);
    }
    if (code == 255) {
      EXPECT_TRUE(std::isnan(f8e8m0_to_f32(byte)));
    } else {
      EXPECT_EQ(double{f8e8m0_to_f32(byte)}, std::ldexp(1.0, static_cast<int>(code) - 127)) << code;
    }
  }
}

// Between neighbours a < b of a format: below the middle gives a, above gives b, the middle the even code.
template <typename Code>
void expect_nearest_even(Code (*encode)(float), float (*decode)(Code), uint32_t last_finite) {
  for (uint32_t code = 0; code < last_finite; code++) {
    const float a = decode(static_cast<Code>(code)), b = decode(static_cast<Code>(code + 1));
    const float middle = static_cast<float>((double{a} + double{b}) / 2);  // exact: one more bit than the format has
    ASSERT_EQ(encode(middle), code % 2 == 0 ? code : code + 1) << middle;
    ASSERT_EQ(encode(std::nextafter(middle, -kInfinity)), code) << middle;
    ASSERT_EQ(encode(std::nextafter(middle, kInfinity)), code + 1) << middle;
    ASSERT_EQ(decode(encode(-middle)), -decode(encode(middle))) << middle;
  }
}

TEST(Convert, RoundsToNearestEven) {
  expect_nearest_even<uint16_t>(f32_to_f16, f16_to_f32, 0x7BFF);
  expect_nearest_even<uint8_t>(f32_to_f8e4m3, f8e4m3_to_f32, 0x7E);
  expect_nearest_even<uint8_t>(f32_to_f8e5m2, f8e5m2_to_f32, 0x7B);
  EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3F808000u)), 0x3F80);
  EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3F818000u)), 0x3F82);
  EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3F808001u)), 0x3F81);
}

TEST(Convert, OutOfRangeAndNan) {
  EXPECT_EQ(f32_to_f16(65519.996f), 0x7BFF);
  EXPECT_EQ(f32_to_f16(65520.0f), 0x7C00);
  EXPECT_EQ(f32_to_f16(-kInfinity), 0xFC00);
  EXPECT_EQ(f32_to_bf16(std::numeric_limits<float>::max()), 0x7F80);
  EXPECT_EQ(f32_to_f8e4m3(464.0f), 0x7E);  // the middle of 448 and 480, and 448 is even
  EXPECT_EQ(f32_to_f8e4m3(464.1f), 0x7F);
  EXPECT_EQ(f32_to_f8e4m3(-kInfinity), 0xFF);
  EXPECT_EQ(f32_to_f8e5m2(1e9f), 0x7C);
  EXPECT_EQ(f32_to_f16(std::numeric_limits<float>::denorm_min()), 0);
  EXPECT_EQ(f32_to_f16(-1e-30f), 0x8000);
  EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(kNan))));
  EXPECT_TRUE(std::isnan(f8e4m3_to_f32(f32_to_f8e4m3(kNan))));
  EXPECT_TRUE(std::isnan(f8e5m2_to_f32(f32_to_f8e5m2(kNan))));
}

// Vector decoders against scalar ones: every code, at every alignment of the tail.
TEST(Convert, EveryInstructionSetDecodesTheSameBits) {
  std::vector<uint16_t> codes(65536 + 7);
  for (size_t i = 0; i < codes.size(); i++) codes[i] = static_cast<uint16_t>(i);
  const auto* bytes = reinterpret_cast<const std::byte*>(codes.data());
  for (Isa isa : simd_isas()) {
    SCOPED_TRACE(isa_name(isa));
    for (DType dtype : {DType::kF16, DType::kBF16, DType::kF8E4M3, DType::kF8E5M2, DType::kF8E8M0}) {
      SCOPED_TRACE(dtype_name(dtype));
      const int64_t n = static_cast<int64_t>(codes.size());
      std::vector<float> expected(codes.size()), actual(codes.size());
      dequantize_row(expected.data(), dtype, bytes, n);
      dequantize_row(actual.data(), dtype, bytes, n, dequantizers(isa));
      for (size_t i = 0; i < codes.size(); i++) {
        if (std::isnan(expected[i])) {
          ASSERT_TRUE(std::isnan(actual[i])) << i;
        } else {
          ASSERT_EQ(std::bit_cast<uint32_t>(actual[i]), std::bit_cast<uint32_t>(expected[i])) << i;
        }
      }
    }
  }
}

TEST(Quantize, PlainFloatsRoundTrip) {
  Random random(3);
  const std::vector<float> row = random.floats(77);
  for (DType dtype : {DType::kF32, DType::kF64}) {
    std::vector<std::byte> bytes(*row_bytes(dtype, 77));
    quantize_row(bytes.data(), dtype, row.data(), 77);
    std::vector<float> back(77);
    dequantize_row(back.data(), dtype, bytes.data(), 77);
    EXPECT_TRUE(same_bits(back, row)) << dtype_name(dtype);
  }
}

TEST(Quantize, Q8_0IsWithinHalfAStep) {
  Random random(4);
  std::vector<float> row = random.floats(96, -3, 3);
  std::fill(row.begin() + 32, row.begin() + 64, 0.0f);
  std::vector<std::byte> bytes(*row_bytes(DType::kQ8_0, 96));
  quantize_row(bytes.data(), DType::kQ8_0, row.data(), 96);
  std::vector<float> back(96);
  dequantize_row(back.data(), DType::kQ8_0, bytes.data(), 96);
  for (size_t block = 0; block < 96; block += 32) {
    float amax = 0;
    for (size_t j = block; j < block + 32; j++) amax = std::max(amax, std::fabs(row[j]));
    // half a step, and 127 steps of the f16 rounding of d
    const double tolerance = amax / 127.0 * 0.5 * (1 + 1e-6) + amax * 0x1p-11;
    for (size_t j = block; j < block + 32; j++) EXPECT_NEAR(back[j], row[j], tolerance) << j;
  }
}

TEST(Quantize, Q8_0RoundsHalfAwayFromZeroAndKeepsNanVisible) {
  std::vector<float> row(32, 0.0f), back(32);
  row[0] = 127;  // d = 1
  row[1] = 2.5f;
  row[2] = -2.5f;
  std::vector<std::byte> bytes(34);
  quantize_row(bytes.data(), DType::kQ8_0, row.data(), 32);
  dequantize_row(back.data(), DType::kQ8_0, bytes.data(), 32);
  EXPECT_EQ(back[0], 127);
  EXPECT_EQ(back[1], 3);
  EXPECT_EQ(back[2], -3);
  row[5] = kNan;
  quantize_row(bytes.data(), DType::kQ8_0, row.data(), 32);
  dequantize_row(back.data(), DType::kQ8_0, bytes.data(), 32);
  EXPECT_TRUE(std::isnan(back[5]));
}

}  // namespace
}  // namespace minke::testing
