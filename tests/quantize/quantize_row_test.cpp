// Quantisers: errors against those of ggml's on the same rows, bounds that plain rounding reaches, the same bits everywhere,
// and rows that break careless searches.
#include "quantize/quantize_row.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "base/json.h"
#include "format/safetensors.h"
#include "kernels/convert.h"
#include "support/support.h"

namespace minke::testing {
namespace {

constexpr DType kSearched[] = {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,   DType::kQ2_K,  DType::kQ3_K,
                               DType::kQ4_K, DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL, DType::kIQ4_XS};

struct Quantized {
  std::vector<std::byte> bytes;
  std::vector<float> values;
};

Quantized quantize(DType dtype, const std::vector<float>& row, const std::vector<float>& weights = {}, Isa isa = best_isa()) {
  const int64_t n = static_cast<int64_t>(row.size());
  Quantized out{std::vector<std::byte>(*row_bytes(dtype, n)), std::vector<float>(row.size())};
  const float* w = weights.empty() ? nullptr : weights.data();
  EXPECT_EQ(quantize_weighted_row(out.bytes.data(), dtype, row.data(), w, n, isa), QuantizeFault::kNone) << dtype_name(dtype);
  dequantize_row(out.values.data(), dtype, out.bytes.data(), n);
  return out;
}

double squared_error(const std::vector<float>& a, const std::vector<float>& b, const std::vector<float>& weights = {}) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); i++) {
    const double difference = static_cast<double>(a[i]) - b[i];
    sum += (weights.empty() ? 1.0 : weights[i]) * difference * difference;
  }
  return sum;
}

double squares(const std::vector<float>& a, const std::vector<float>& weights = {}) {
  return squared_error(a, std::vector<float>(a.size()), weights);
}

std::vector<float> random_row(size_t n, float scale, uint32_t seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> row(n);
  for (float& value : row) value = normal(engine);
  return row;
}

struct GoldenRows {
  SafetensorsFile file;
  Json errors;

  std::vector<float> row(const std::string& name, int64_t index) const {
    const TensorView* view = file.tensors.find(name);
    std::vector<float> values(static_cast<size_t>(view->n_cols()));
    std::memcpy(values.data(), view->data + static_cast<size_t>(index * view->n_cols()) * sizeof(float),
                values.size() * sizeof(float));
    return values;
  }
  int64_t n_rows(const std::string& name) const { return file.tensors.find(name)->n_rows(); }
};

GoldenRows read_golden() {
  const std::string folder = repository_path("tests/goldens/quantize/");
  Json all = value_of(parse_json(read_test_file(folder + "errors.json"), "errors.json"));
  return {value_of(open_safetensors(folder + "rows.safetensors")), all.at("errors")};
}

// Relative to the row set's squares, as reference/make_quantize.py computes it. Empty importance: plain.
double relative_error(const GoldenRows& golden, const std::string& kind, DType dtype, const std::vector<float>& importance) {
  const int64_t n_cols = static_cast<int64_t>(golden.row(kind, 0).size());
  const std::vector<float> weights = importance.empty() ? importance : column_weights(importance.data(), n_cols);
  double error = 0, total = 0;
  for (int64_t r = 0; r < golden.n_rows(kind); r++) {
    const std::vector<float> row = golden.row(kind, r);
    error += squared_error(row, quantize(dtype, row, weights).values, importance);
    total += squares(row, importance);
  }
  return error / total;
}

// One per mille for the order of summation; where a search is at work it is well below.
TEST(QuantizeRow, ErrorsAreAtMostThoseOfGgml) {
  const GoldenRows golden = read_golden();
  const std::vector<float> importance = golden.row("importance", 0);
  int n_compared = 0;
  for (const auto& [kind, types] : golden.errors.items()) {
    for (const auto& [name, reference] : types.items()) {
      const DType dtype = dtype_from_name(name).value();
      EXPECT_LE(relative_error(golden, kind, dtype, {}), reference.at("plain").get<double>() * 1.001) << kind << " " << name;
      EXPECT_LE(relative_error(golden, kind, dtype, importance), reference.at("weighted").get<double>() * 1.001)
          << kind << " " << name << " weighted";
      n_compared++;
    }
  }
  EXPECT_EQ(n_compared, 5 * 12);
}

TEST(QuantizeRow, EveryInstructionSetGivesTheSameBits) {
  std::vector<float> row = random_row(512, 0.02f, 3);
  row[70] = 0.9f, row[300] = -0.7f;
  const std::vector<float> importance = random_row(512, 1, 4);  // half of it negative: no importance
  const std::vector<float> weights = column_weights(importance.data(), 512);
  for (DType dtype : kSearched) {
    const Quantized expected = quantize(dtype, row, weights, Isa::kRef);
    for (Isa isa : available_isas()) {
      EXPECT_EQ(quantize(dtype, row, weights, isa).bytes, expected.bytes) << dtype_name(dtype) << " " << isa_name(isa);
    }
  }
}

// Half a step of the coarsest scale that plain rounding could need, as a share of the largest magnitude (formats with scales)
// or of the range from the lowest value, at most 0, to the highest (formats with minima). Integer scales of super-blocks are
// rounded up, which makes a step larger by at most 1 / (their highest); minima add as much again.
double half_step(DType dtype) {
  switch (dtype) {
    case DType::kQ4_0:
      return 1.0 / 7 / 2;
    case DType::kQ5_0:
      return 1.0 / 15 / 2;
    case DType::kIQ4_NL:
      return 24.0 / 113 / 2;
    case DType::kIQ4_XS:
      return 24.0 / 113 / 2 * (1 + 1.0 / 31);
    case DType::kQ3_K:
      return 1.0 / 3 / 2 * (1 + 1.0 / 31);
    case DType::kQ6_K:
      return 1.0 / 31 / 2 * (1 + 1.0 / 127);
    case DType::kQ4_1:
      return 1.0 / 15 / 2;
    case DType::kQ5_1:
      return 1.0 / 31 / 2;
    case DType::kQ2_K:
      return 1.0 / 3 / 2 * (1 + 2.0 / 15);
    case DType::kQ4_K:
      return 1.0 / 15 / 2 * (1 + 2.0 / 63);
    default:
      return 1.0 / 31 / 2 * (1 + 2.0 / 63);  // Q5_K
  }
}

bool has_minima(DType dtype) {
  return dtype == DType::kQ4_1 || dtype == DType::kQ5_1 || dtype == DType::kQ2_K || dtype == DType::kQ4_K ||
         dtype == DType::kQ5_K;
}

TEST(QuantizeRow, ErrorsAreAtMostThoseOfPlainRounding) {
  for (DType dtype : kSearched) {
    const size_t n = static_cast<size_t>(dtype_info(dtype).block_elements);
    for (uint32_t seed = 0; seed < 40; seed++) {
      std::vector<float> row = random_row(n, 0.05f, 100 + seed);
      if (seed % 4 == 1) row[seed % n] = 3.0f;  // an outlier
      if (seed % 4 == 2) {
        for (float& value : row) value = std::abs(value);
      }
      if (seed % 4 == 3) {
        for (float& value : row) value -= 0.2f;
      }
      float low = 0, high = 0;
      for (float value : row) low = std::min(low, value), high = std::max(high, value);
      const double range = has_minima(dtype) ? high - low : std::max(-low, high);
      // binary16 moves a scale by 2^-11 of itself, and with it the outermost level.
      const double bound = range * (half_step(dtype) + 0x1p-11);
      EXPECT_LE(squared_error(row, quantize(dtype, row).values), static_cast<double>(n) * bound * bound)
          << dtype_name(dtype) << " seed " << seed;
    }
  }
}

TEST(QuantizeRow, ConstantRowsKeepTheirValue) {
  for (DType dtype : kSearched) {
    for (float constant : {0.0f, 1.0f, -1.0f, 0.3f, -0.017f, 1234.5f, -20000.0f}) {
      const std::vector<float> row(256, constant);
      // One rounding of d to binary16, whose steps are 2^-24 below 2^-14. Super-blocks multiply it with integers: at most
      // 128 * 32 (Q6_K).
      const float step = dtype_info(dtype).block_elements == 256 ? 0x1p-25f * 128 * 32 : 0x1p-25f * 128;
      const float bound = constant == 0 ? 0 : std::max(std::abs(constant) * 0x1p-11f, step);
      for (float value : quantize(dtype, row).values) {
        ASSERT_LE(std::abs(value - constant), bound) << dtype_name(dtype) << " of " << constant;
      }
    }
  }
}

// Whatever the scale: no worse than writing zeros, and zeros stay zeros.
TEST(QuantizeRow, TinyAndHugeValuesAreNoWorseThanZeros) {
  for (DType dtype : kSearched) {
    for (float scale : {1e-42f, 1e-20f, 1e-9f, 2e-8f, 1e-7f, 1e-6f, 1e-5f, 1e-4f, 1e3f, 2e4f}) {
      const std::vector<float> row = random_row(256, scale, 5);
      const double error = squared_error(row, quantize(dtype, row).values);
      EXPECT_LE(error, squares(row) * (1 + 1e-6)) << dtype_name(dtype) << " " << scale;
    }
    std::vector<float> row(256);
    EXPECT_EQ(squares(quantize(dtype, row).values), 0) << dtype_name(dtype);
    row[17] = 1;  // one sub-block with something in it: the others stay empty
    const Quantized one = quantize(dtype, row);
    // IQ4's levels lack zero: next to a 113 the smallest is 1.
    const bool lacks_zero = dtype == DType::kIQ4_NL || dtype == DType::kIQ4_XS;
    const double zero_error = lacks_zero ? 31.0 / (113.0 * 113.0) : 0;
    EXPECT_LE(squared_error(row, one.values), zero_error + 0x1p-22) << dtype_name(dtype);
  }
}

TEST(QuantizeRow, WhatDoesNotFitIsAFault) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();
  for (const DTypeInfo& info : all_dtypes()) {
    const bool is_target = info.is_quantized || info.dtype == DType::kF16 || info.dtype == DType::kBF16;
    if (!is_target) continue;
    std::vector<std::byte> out(*row_bytes(info.dtype, 256));
    auto fault_of = [&](float value) {
      std::vector<float> row = random_row(256, 1, 6);
      row[200] = value;
      return quantize_weighted_row(out.data(), info.dtype, row.data(), nullptr, 256, best_isa());
    };
    EXPECT_EQ(fault_of(kNan), QuantizeFault::kNotFinite) << info.name;
    EXPECT_EQ(fault_of(-kInfinity), QuantizeFault::kNotFinite) << info.name;
    EXPECT_EQ(fault_of(3.4e38f), QuantizeFault::kTooLarge) << info.name;
    EXPECT_EQ(fault_of(60000.0f), QuantizeFault::kNone) << info.name;
  }
}

TEST(QuantizeRow, ImportanceMovesTheErrorToColumnsThatMatterLess) {
  std::vector<float> importance(256, 1.0f);
  for (size_t i = 0; i < 256; i += 2) importance[i] = 50;
  const std::vector<float> weights = column_weights(importance.data(), 256), row = random_row(256, 0.02f, 8);
  for (DType dtype : kSearched) {
    const double plain = squared_error(row, quantize(dtype, row).values, importance);
    EXPECT_LT(squared_error(row, quantize(dtype, row, weights).values, importance), plain) << dtype_name(dtype);
  }
}

TEST(QuantizeRow, ColumnWeightsAreRelativeAndPositive) {
  const float importance[4] = {0, 6, -1, std::numeric_limits<float>::quiet_NaN()};
  const std::vector<float> weights = column_weights(importance, 4);
  ASSERT_EQ(weights.size(), 4u);
  EXPECT_FLOAT_EQ(weights[1], 4);
  for (size_t i : {0, 2, 3}) EXPECT_FLOAT_EQ(weights[i], 1e-4f);
  const float none[3] = {0, 0, 0};
  EXPECT_TRUE(column_weights(none, 3).empty());
  // Columns that no text reached are still written as what they are.
  std::vector<float> half(256, 0.0f), row = random_row(256, 0.02f, 9);
  std::fill(half.begin(), half.begin() + 128, 1.0f);
  const Quantized out = quantize(DType::kQ4_K, row, column_weights(half.data(), 256));
  std::vector<float> forgotten(out.values.begin() + 128, out.values.end()), original(row.begin() + 128, row.end());
  EXPECT_LE(squared_error(original, forgotten), 0.02 * squares(original));
}

}  // namespace
}  // namespace minke::testing
