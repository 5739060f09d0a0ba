// What the kernel tests share: contexts of every instruction set of this machine, random inputs, rows padded with NaN, and
// comparison against a derived tolerance with the worst element in the message.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/context.h"
#include "kernels/convert.h"
#include "kernels/matmul.h"
#include "kernels/weight.h"

namespace minke::testing {

constexpr double kUnit = 0x1p-24;   // largest relative error of one f32 rounding
constexpr int64_t kLeastLanes = 8;  // of the SIMD levels: the longest chains of additions

inline Context ref_context() { return {nullptr, Isa::kRef}; }

// Every level but ref.
inline std::vector<Isa> simd_isas() {
  std::vector<Isa> isas = available_isas();
  isas.erase(isas.begin());
  return isas;
}

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  float uniform(float low, float high) { return std::uniform_real_distribution<float>(low, high)(engine_); }
  uint32_t bits() { return static_cast<uint32_t>(engine_()); }
  std::vector<float> floats(int64_t n, float low = -1, float high = 1) {
    std::vector<float> values(static_cast<size_t>(n));
    for (float& value : values) value = uniform(low, high);
    return values;
  }

 private:
  std::mt19937 engine_;
};

// [n_rows, n_cols] in rows of `stride`, everything else NaN: what a kernel must neither use nor change.
class PaddedRows {
 public:
  PaddedRows(int64_t n_rows, int64_t n_cols, int64_t padding)
      : n_rows_(n_rows),
        n_cols_(n_cols),
        stride_(n_cols + padding),
        data_(static_cast<size_t>(n_rows * stride_ + padding), std::numeric_limits<float>::quiet_NaN()) {}
  PaddedRows(int64_t n_rows, int64_t n_cols, int64_t padding, Random& random) : PaddedRows(n_rows, n_cols, padding) {
    for (int64_t i = 0; i < n_rows; i++) {
      for (int64_t c = 0; c < n_cols; c++) at(i, c) = random.uniform(-1, 1);
    }
  }

  float* data() { return data_.data(); }
  const float* data() const { return data_.data(); }
  int64_t stride() const { return stride_; }
  float& at(int64_t i, int64_t c) { return data_[static_cast<size_t>(i * stride_ + c)]; }
  float at(int64_t i, int64_t c) const { return data_[static_cast<size_t>(i * stride_ + c)]; }
  Rows rows() { return {data(), stride_}; }
  ConstRows rows() const { return {data(), stride_}; }
  ConstRows const_rows() const { return {data(), stride_}; }

  // The n_rows x n_cols values, packed.
  std::vector<float> values() const {
    std::vector<float> packed;
    for (int64_t i = 0; i < n_rows_; i++) {
      for (int64_t c = 0; c < n_cols_; c++) packed.push_back(at(i, c));
    }
    return packed;
  }
  bool padding_is_untouched() const {
    for (size_t e = 0; e < data_.size(); e++) {
      const int64_t i = static_cast<int64_t>(e) / stride_, c = static_cast<int64_t>(e) % stride_;
      if ((c >= n_cols_ || i >= n_rows_) && !std::isnan(data_[e])) return false;
    }
    return true;
  }

 private:
  int64_t n_rows_, n_cols_, stride_;
  std::vector<float> data_;
};

// |actual - expected| <= tolerance, element by element; NaN and infinity must be equal.
inline ::testing::AssertionResult close(std::span<const float> actual, std::span<const float> expected,
                                        std::span<const double> tolerance) {
  if (actual.size() != expected.size() || actual.size() != tolerance.size()) {
    return ::testing::AssertionFailure() << actual.size() << ", " << expected.size() << ", " << tolerance.size() << " elements";
  }
  size_t worst = 0, n_outside = 0;
  double worst_excess = -1;
  for (size_t i = 0; i < actual.size(); i++) {
    const double difference = std::fabs(double{actual[i]} - double{expected[i]});
    const bool same = actual[i] == expected[i] || (std::isnan(actual[i]) && std::isnan(expected[i]));
    if (same || difference <= tolerance[i]) continue;
    n_outside++;
    const double excess = difference / std::max(tolerance[i], 1e-300);
    if (!(excess <= worst_excess)) {
      worst = i;
      worst_excess = std::isnan(excess) ? std::numeric_limits<double>::infinity() : excess;
    }
  }
  if (n_outside == 0) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << n_outside << " of " << actual.size() << " outside; worst at " << worst
                                       << ": expected " << expected[worst] << ", got " << actual[worst] << ", tolerance "
                                       << tolerance[worst];
}

inline ::testing::AssertionResult same_bits(std::span<const float> actual, std::span<const float> expected) {
  if (actual.size() != expected.size()) return ::testing::AssertionFailure() << actual.size() << " and " << expected.size();
  for (size_t i = 0; i < actual.size(); i++) {
    if (std::bit_cast<uint32_t>(actual[i]) != std::bit_cast<uint32_t>(expected[i])) {
      return ::testing::AssertionFailure() << "at " << i << ": expected " << expected[i] << ", got " << actual[i];
    }
  }
  return ::testing::AssertionSuccess();
}

// Where the f16 fields lie in a quant block: random bits there could be NaN.
inline std::vector<size_t> half_offsets(DType dtype) {
  switch (dtype) {
    case DType::kQ4_0:
    case DType::kQ5_0:
    case DType::kQ8_0:
    case DType::kIQ4_NL:
    case DType::kIQ4_XS:
      return {0};
    case DType::kQ4_1:
    case DType::kQ5_1:
    case DType::kQ4_K:
    case DType::kQ5_K:
      return {0, 2};
    case DType::kQ2_K:
      return {80, 82};
    case DType::kQ3_K:
      return {108};
    case DType::kQ6_K:
      return {208};
    default:
      return {};
  }
}

// Bytes of n elements of any weight dtype, with moderate values.
inline std::vector<std::byte> random_weight_bytes(DType dtype, int64_t n, Random& random) {
  std::vector<std::byte> bytes(*row_bytes(dtype, n));
  if (can_quantize(dtype)) {
    quantize_row(bytes.data(), dtype, random.floats(n).data(), n);
    return bytes;
  }
  for (std::byte& byte : bytes)
    byte = static_cast<std::byte>(dtype == DType::kF8E8M0 ? 117 + random.bits() % 12 : random.bits());
  const size_t block_bytes = dtype_info(dtype).block_bytes;
  for (size_t block = 0; block < bytes.size(); block += block_bytes) {
    for (size_t offset : half_offsets(dtype)) {
      const uint16_t half = f32_to_f16(random.uniform(-0.02f, 0.02f));
      std::memcpy(bytes.data() + block + offset, &half, sizeof(half));
    }
  }
  return bytes;
}

// A weight with its bytes. They start at an odd address, as bytes of a mapped file may.
struct OwnedWeight {
  OwnedWeight(DType dtype, int64_t n_rows, int64_t n_cols, Random& random) {
    const size_t row = *row_bytes(dtype, n_cols);
    bytes.resize(1 + static_cast<size_t>(n_rows) * row);
    for (int64_t r = 0; r < n_rows; r++) {
      const std::vector<std::byte> one = random_weight_bytes(dtype, n_cols, random);
      std::copy(one.begin(), one.end(), bytes.begin() + 1 + r * static_cast<int64_t>(row));
    }
    weight = {.dtype = dtype, .n_rows = n_rows, .n_cols = n_cols, .data = bytes.data() + 1};
  }
  OwnedWeight(const OwnedWeight&) = delete;
  OwnedWeight& operator=(const OwnedWeight&) = delete;

  // One scale per block_rows x block_cols.
  void add_scales(int64_t block_rows, int64_t block_cols, Random& random) {
    const int64_t n_block_rows = (weight.n_rows + block_rows - 1) / block_rows;
    weight.n_scale_cols = (weight.n_cols + block_cols - 1) / block_cols;
    scales = random.floats(n_block_rows * weight.n_scale_cols, 0.5f, 2.0f);
    weight.scales = reinterpret_cast<const std::byte*>(scales.data());
    weight.scale_dtype = DType::kF32;
    weight.block_rows = block_rows;
    weight.block_cols = block_cols;
  }

  std::vector<float> values() const {  // [n_rows, n_cols]
    std::vector<float> out(static_cast<size_t>(weight.n_rows * weight.n_cols));
    dequantize_weight_rows(out.data(), weight, 0, weight.n_rows);
    return out;
  }

  std::vector<std::byte> bytes;
  std::vector<float> scales;
  Weight weight;
};

}  // namespace minke::testing
