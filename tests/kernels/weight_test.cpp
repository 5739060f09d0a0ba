#include "kernels/weight.h"

#include <gtest/gtest.h>

#include "kernel_cases.h"
#include "support/support.h"

namespace minke::testing {
namespace {

TensorView view(DType dtype, Shape shape, const void* data) {
  return {dtype, std::move(shape), static_cast<const std::byte*>(data)};
}

TEST(Weight, LeadingAxesCountRowsAndAVectorIsOneRow) {
  std::vector<float> data(24);
  const Weight matrix = value_of(make_weight(view(DType::kF32, {2, 3, 4}, data.data())));
  EXPECT_EQ(matrix.n_rows, 6);
  EXPECT_EQ(matrix.n_cols, 4);
  EXPECT_EQ(matrix.n_bytes(), 96u);
  EXPECT_EQ(value_of(make_weight(view(DType::kF32, {24}, data.data()))).n_rows, 1);
}

TEST(Weight, RefusesWhatIsNoWeight) {
  std::vector<float> data(400);
  const BlockScales fits{view(DType::kF32, {2, 3}, data.data()), 8, 4};
  const TensorView matrix = view(DType::kF8E4M3, {10, 10}, data.data());
  EXPECT_TRUE(make_weight(matrix, fits).has_value());
  EXPECT_ERROR(make_weight(view(DType::kI32, {2, 2}, data.data())), "expected a float or quantised dtype, got i32");
  EXPECT_ERROR(make_weight(view(DType::kQ4_K, {2, 100}, data.data())), "not a multiple");
  EXPECT_ERROR(make_weight(matrix, {view(DType::kF32, {1, 3}, data.data()), 8, 4}), "expected [2, 3]");
  EXPECT_ERROR(make_weight(matrix, {view(DType::kF32, {2, 2}, data.data()), 8, 4}), "got [2, 2]");
  EXPECT_ERROR(make_weight(matrix, {view(DType::kI8, {2, 3}, data.data()), 8, 4}), "got i8");
  EXPECT_ERROR(make_weight(matrix, {fits.values, 0, 4}), "not positive");
  EXPECT_ERROR(make_weight(view(DType::kQ8_0, {16, 32}, data.data()), {view(DType::kF32, {2, 8}, data.data()), 8, 4}),
               "which has its own");
  EXPECT_ERROR(make_weight(view(DType::kF32, {10}, data.data()), fits), "2-D");
  EXPECT_ERROR(make_stacked_weight(matrix, 0), "expected 3 axes");
}

TEST(Weight, BlockScalesMultiplyTheirBlock) {
  // 5 x 6 in blocks of 2 x 4: the last row of blocks is one high, the last column two wide.
  std::vector<uint8_t> codes(30, f32_to_f8e4m3(1.5f));
  const std::vector<float> scales = {1, 2, 3, 4, 5, 6};
  const Weight weight =
      value_of(make_weight(view(DType::kF8E4M3, {5, 6}, codes.data()), {view(DType::kF32, {3, 2}, scales.data()), 2, 4}));
  std::vector<float> out(30);
  dequantize_weight_rows(out.data(), weight, 0, 5);
  for (size_t r = 0; r < 5; r++) {
    for (size_t c = 0; c < 6; c++) EXPECT_EQ(out[r * 6 + c], 1.5f * scales[r / 2 * 2 + c / 4]) << r << " " << c;
  }
  // A slice of a slice that starts inside a block.
  const Weight slice = weight.slice_rows(1, 4).slice_rows(2, 2);
  std::vector<float> part(12);
  dequantize_weight_rows(part.data(), slice, 0, 2);
  EXPECT_TRUE(same_bits(part, std::span(out).subspan(18, 12)));
}

TEST(Weight, ScalesOfEveryDtype) {
  const uint8_t code = f32_to_f8e4m3(3.0f);
  const float f32 = 0.5f;
  const uint16_t bf16 = f32_to_bf16(0.5f), f16 = f32_to_f16(0.5f);
  const uint8_t e8m0 = 126;
  const std::pair<DType, const void*> scales[] = {
      {DType::kF32, &f32}, {DType::kBF16, &bf16}, {DType::kF16, &f16}, {DType::kF8E8M0, &e8m0}};
  for (auto [dtype, data] : scales) {
    const Weight weight = value_of(make_weight(view(DType::kF8E4M3, {1, 1}, &code), {view(dtype, {1, 1}, data), 128, 128}));
    float out;
    dequantize_weight_rows(&out, weight, 0, 1);
    EXPECT_EQ(out, 1.5f) << dtype_name(dtype);
  }
}

TEST(Weight, StackedMatricesHaveTheirOwnScales) {
  // 2 experts of 3 x 4 in blocks of 2 x 4: the second expert starts a block of its own, though row 3 is inside one.
  std::vector<uint8_t> codes(24, f32_to_f8e4m3(1.0f));
  const std::vector<float> scales = {1, 2, 3, 4};
  const BlockScales blocks{view(DType::kF32, {2, 2, 1}, scales.data()), 2, 4};
  const TensorView stacked = view(DType::kF8E4M3, {2, 3, 4}, codes.data());
  std::vector<float> out(12);
  dequantize_weight_rows(out.data(), value_of(make_stacked_weight(stacked, 1, &blocks)), 0, 3);
  EXPECT_EQ(out, (std::vector<float>{3, 3, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4}));
  EXPECT_EQ(value_of(make_stacked_weight(stacked, 1)).data, stacked.data + 12);
  const BlockScales wrong{view(DType::kF32, {1, 2, 1}, scales.data()), 2, 4};
  EXPECT_ERROR(make_stacked_weight(stacked, 0, &wrong), "expected [2,");
}

TEST(WeightDeath, SliceOutside) {
  std::vector<float> data(8);
  const Weight weight = value_of(make_weight(view(DType::kF32, {2, 4}, data.data())));
  EXPECT_DEATH(weight.slice_rows(1, 2), "rows \\[1, 1 \\+ 2\\) of 2");
}

}  // namespace
}  // namespace minke::testing
