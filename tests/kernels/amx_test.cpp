// The kernels for AMX beside those of AVX-512 VNNI: the same bits. Without AMX the tiles are emulated.
#include <gtest/gtest.h>

#include "emulated_amx.h"
#include "kernel_cases.h"
#include "kernels/cpu/dispatch.h"
#include "packed_cases.h"

namespace minke::testing {
namespace {

struct Field {
  DType dtype;
  PackedFn PackedTable::*function;
};
constexpr Field kFields[] = {
    {DType::kQ4_0, &PackedTable::q4_0}, {DType::kQ4_1, &PackedTable::q4_1},     {DType::kQ5_0, &PackedTable::q5_0},
    {DType::kQ5_1, &PackedTable::q5_1}, {DType::kQ8_0, &PackedTable::q8_0},     {DType::kQ2_K, &PackedTable::q2_k},
    {DType::kQ3_K, &PackedTable::q3_k}, {DType::kQ4_K, &PackedTable::q4_k},     {DType::kQ5_K, &PackedTable::q5_k},
    {DType::kQ6_K, &PackedTable::q6_k}, {DType::kIQ4_NL, &PackedTable::iq4_nl}, {DType::kIQ4_XS, &PackedTable::iq4_xs},
};

class Amx : public ::testing::Test {
 protected:
  void SetUp() override {
    if (best_isa() < Isa::kAvx512Vnni) GTEST_SKIP() << "the emulated tiles need AVX-512 VNNI for everything else";
  }
};

TEST_F(Amx, EveryIntegerFormatHasAKernel) {
  EXPECT_EQ(std::size(kFields) + 1, packed_dtypes().size());  // bf16 has a unit of its own
  for (const Field& field : kFields) EXPECT_NE(kEmulatedAmx.packed.*field.function, nullptr) << dtype_name(field.dtype);
}

// Whole tiles of tokens, tiles and a rest, one panel and more, parts of panels, one chunk of columns and more.
TEST_F(Amx, KernelsGiveTheBitsOfVnni) {
  struct Shape {
    int64_t n_tokens, n_rows, n_blocks;
  };
  for (const Field& field : kFields) {
    const PackedFormat& format = *packed_format(field.dtype);
    const int64_t more = format.block_columns == 32 ? 21 : 3;  // blocks: 672 or 768 columns
    for (const Shape& s : {Shape{5, 20, 1}, {16, 16, 1}, {17, 33, more}, {32, 7, 2}, {50, 48, more}}) {
      for (bool picks : {false, true}) {
        const int64_t n_cols = s.n_blocks * format.block_columns;
        Random random(static_cast<uint32_t>(s.n_tokens + s.n_rows));
        OwnedWeight w(field.dtype, s.n_rows, n_cols, random);
        PaddedRows x(s.n_tokens, n_cols, 0, random), expected(s.n_tokens, s.n_rows, 3), out(s.n_tokens, s.n_rows, 3);
        PackedWeight packed(w.weight, Isa::kRef);
        CodedX coded(x, s.n_tokens, n_cols, Isa::kAvx512Vnni);
        std::vector<int32_t> rows;
        for (int64_t t = 0; t < s.n_tokens; t++) rows.push_back(static_cast<int32_t>((t * 7 + 3) % s.n_tokens));
        PackedArguments arguments = {
            .out = out.data(),
            .out_stride = out.stride(),
            .x = coded.activations.int8.data,
            .x_stride = coded.activations.int8.stride,
            .token_rows = picks ? rows.data() : nullptr,
            .k = n_cols,
            .panels = reinterpret_cast<const uint8_t*>(packed.weight.data),
            .panel_bytes = static_cast<int64_t>(panel_bytes(format, n_cols)),
            .head_bytes = static_cast<int64_t>(panel_head_bytes(format, n_cols)),
            .n_rows = s.n_rows,
        };
        (kEmulatedAmx.packed.*field.function)(arguments, s.n_tokens);
        arguments.out = expected.data();
        packed_kernel(field.dtype, Isa::kAvx512Vnni)(arguments, s.n_tokens);
        EXPECT_TRUE(same_bits(out.values(), expected.values()))
            << dtype_name(field.dtype) << " " << s.n_tokens << " [" << s.n_rows << ", " << n_cols << "] " << picks;
        EXPECT_TRUE(out.padding_is_untouched());
      }
    }
  }
  EXPECT_EQ(n_tile_faults(), 0);
}

TEST_F(Amx, ProbeDoesWhatItCounts) {
  EXPECT_EQ(kEmulatedAmx.byte_dot_steps(10), 2 * 10 * 4 * 16 * 16 * 64);
  EXPECT_EQ(n_tile_faults(), 0);
}

}  // namespace
}  // namespace minke::testing
