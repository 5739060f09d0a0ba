#include "synthetic/random_blocks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/convert.h"

namespace minke {
namespace {

std::vector<DType> weight_dtypes() {
  std::vector<DType> dtypes;
  for (const DTypeInfo& info : all_dtypes()) {
    // E8M0 holds scales only.
    if (info.is_float && info.dtype != DType::kF64 && info.dtype != DType::kF8E8M0) dtypes.push_back(info.dtype);
  }
  return dtypes;
}

std::vector<std::byte> filled(DType dtype, double deviation, uint64_t key, int64_t first, int64_t n) {
  std::vector<std::byte> bytes(static_cast<size_t>(n) * dtype_info(dtype).block_bytes);
  RandomBlocks(dtype, deviation).fill(bytes.data(), key, first, n);
  return bytes;
}

// Groups of 256 elements are taken as draws whose mean and mean square vary by what is seen among them. Six standard errors
// of this sample; the scale itself is found from 1024 blocks, of which 32-element ones are an eighth of a group each, and is
// rounded to f16: near 1e-5, where the smallest scales are, by up to 2^-25 / 1e-5 = 0.3 %. Plain formats below f16 round
// their values by up to an eighth, which moves the deviation by less than a percent.
TEST(RandomBlocks, HaveTheDeviationAskedForAndNoMean) {
  constexpr double kDeviation = 0.02;
  constexpr int64_t kGroup = 256, kGroups = 4096;
  for (DType dtype : weight_dtypes()) {
    const DTypeInfo& info = dtype_info(dtype);
    std::vector<float> values(static_cast<size_t>(kGroup * kGroups));
    const auto n = static_cast<int64_t>(values.size());
    const std::vector<std::byte> bytes = filled(dtype, kDeviation, 11, 0, n / info.block_elements);
    dequantize_row(values.data(), dtype, bytes.data(), n);
    double sum = 0, squares = 0, sum_of_means = 0, sum_of_squares = 0;
    for (int64_t g = 0; g < kGroups; g++) {
      double mean = 0, square = 0;
      for (int64_t i = 0; i < kGroup; i++) {
        const double value = values[static_cast<size_t>(g * kGroup + i)];
        mean += value / kGroup;
        square += value * value / kGroup;
      }
      sum += mean, sum_of_means += mean * mean;
      squares += square, sum_of_squares += square * square;
    }
    const double mean = sum / kGroups, square = squares / kGroups;
    const double mean_error = std::sqrt((sum_of_means / kGroups - mean * mean) / kGroups);
    const double square_error = std::sqrt((sum_of_squares / kGroups - square * square) / kGroups);
    const double calibration_groups = 1024.0 * static_cast<double>(info.block_elements) / kGroup;
    const double calibration_error = info.is_quantized ? square_error * std::sqrt(kGroups / calibration_groups) : 0;
    const double deviation = std::sqrt(square);
    const double tolerance = 3 * (square_error + calibration_error) / deviation + 0.01 * kDeviation;
    EXPECT_NEAR(deviation, kDeviation, tolerance) << info.name;
    EXPECT_LT(tolerance, 0.1 * kDeviation) << info.name;
    // The middle of signed codes is half a step below zero; times a scale whose middle is too, that is less than a percent.
    EXPECT_NEAR(mean, 0, 6 * mean_error + 0.01 * kDeviation) << info.name;
  }
}

TEST(RandomBlocks, DoNotDependOnTheRangeAskedFor) {
  for (DType dtype : weight_dtypes()) {
    const size_t block_bytes = dtype_info(dtype).block_bytes;
    const std::vector<std::byte> whole = filled(dtype, 0.02, 5, 0, 100);
    const std::vector<std::byte> part = filled(dtype, 0.02, 5, 37, 41);
    EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + static_cast<ptrdiff_t>(37 * block_bytes)))
        << dtype_name(dtype);
    EXPECT_NE(whole, filled(dtype, 0.02, 6, 0, 100)) << dtype_name(dtype);
  }
}

TEST(RandomBlocks, NeverHoldACodeThatNoQuantiserGives) {
  const std::vector<std::byte> bytes = filled(DType::kQ8_0, 0.02, 3, 0, 1000);
  for (size_t block = 0; block < bytes.size(); block += 34) {
    for (size_t i = 2; i < 34; i++) ASSERT_NE(bytes[block + i], std::byte{0x80}) << block;
  }
}

}  // namespace
}  // namespace minke
