#include <gtest/gtest.h>

#include "kernel_cases.h"
#include "packed_cases.h"

namespace minke::testing {
namespace {

TEST(Packed, EveryQuantisedDtypeAndBf16HaveAPackedForm) {
  for (const DTypeInfo& info : all_dtypes()) {
    EXPECT_EQ(packed_format(info.dtype) != nullptr, info.is_quantized || info.dtype == DType::kBF16) << info.name;
  }
}

// What a panel cannot hold stays as it is.
TEST(Packed, PartialBlocksAndScaledWeightsHaveNone) {
  Random random(2);
  OwnedWeight whole(DType::kBF16, 3, 64, random), partial(DType::kBF16, 3, 80, random), scaled(DType::kBF16, 3, 64, random);
  scaled.add_scales(1, 32, random);
  EXPECT_TRUE(can_pack(whole.weight));
  EXPECT_FALSE(can_pack(partial.weight));
  EXPECT_FALSE(can_pack(scaled.weight));
}

// Packing permutes: it takes the bytes of the rows and every row comes back, on all instruction sets alike.
TEST(Packed, RowsComeBack) {
  for (DType dtype : packed_dtypes()) {
    for (int64_t n_rows : {1, 15, 16, 17, 48}) {
      Random random(3);
      const int64_t n_cols = packed_format(dtype)->block_columns * 3;
      OwnedWeight w(dtype, n_rows, n_cols, random);
      PackedWeight packed(w.weight, Isa::kRef);
      if (n_rows % 16 == 0) {
        EXPECT_LE(packed.weight.n_bytes(), w.weight.n_bytes() + 64 * static_cast<size_t>(n_rows / 16));
      }
      for (Isa isa : simd_isas()) {
        PackedWeight other(w.weight, isa);
        EXPECT_EQ(std::memcmp(packed.weight.data, other.weight.data, packed.weight.n_bytes()), 0) << isa_name(isa);
      }
      std::vector<float> values(static_cast<size_t>(n_rows * n_cols));
      dequantize_weight_rows(values.data(), packed.weight, 0, n_rows);
      EXPECT_TRUE(same_bits(values, w.values())) << dtype_name(dtype) << " " << n_rows;
      const PackedFormat& format = *packed_format(dtype);
      std::vector<uint8_t> block(format.block_bytes);
      for (int64_t r = 0; r < n_rows; r++) {
        const auto* panel = reinterpret_cast<const uint8_t*>(packed.weight.data) +
                            static_cast<size_t>(r / kPanelRows) * panel_bytes(format, n_cols);
        for (int64_t b = 0; b < n_cols / format.block_columns; b++) {
          unpack_block(block.data(), format, panel, r % kPanelRows, b, n_cols);
          const std::byte* expected = w.weight.row(r) + static_cast<size_t>(b) * format.block_bytes;
          ASSERT_EQ(std::memcmp(block.data(), expected, block.size()), 0)
              << dtype_name(dtype) << " row " << r << " block " << b;
        }
      }
    }
  }
}

TEST(Packed, SlicesArePanels) {
  Random random(5);
  OwnedWeight w(DType::kQ4_K, 50, 256, random);
  PackedWeight packed(w.weight, Isa::kRef);
  const Weight slice = packed.weight.slice_rows(32, 18);
  std::vector<float> values(18 * 256), expected(18 * 256);
  dequantize_weight_rows(values.data(), slice, 0, 18);
  dequantize_weight_rows(expected.data(), w.weight, 32, 18);
  EXPECT_TRUE(same_bits(values, expected));
}

TEST(CodedRows, AreWithinHalfAStep) {
  constexpr int64_t kColumns = 160, kTokens = 7;
  Random random(7);
  PaddedRows x(kTokens, kColumns, 5, random);
  for (int64_t c = 0; c < 32; c++) x.at(1, c) = 0;        // a block of zeros
  for (int64_t c = 0; c < 32; c++) x.at(2, c) *= 1e-38f;  // too small for an inverse
  x.at(3, 70) = 1e30f;                                    // one element dwarfs its block
  CodedX first(x, kTokens, kColumns, simd_isas()[0]);
  for (Isa isa : simd_isas()) {
    CodedX coded(x, kTokens, kColumns, isa);
    EXPECT_EQ(std::memcmp(coded.row(0), first.row(0), static_cast<size_t>(kTokens * coded.activations.int8.stride) - 64), 0)
        << isa_name(isa);
    for (int64_t t = 0; t < kTokens; t++) {
      for (int64_t c = 0; c < kColumns; c++) {
        float most = 0;
        for (int64_t i = c / 32 * 32; i < c / 32 * 32 + 32; i++) most = std::max(most, std::fabs(x.at(t, i)));
        const double decoded = double{coded.d(t, c / 32)} * coded.codes(t)[c];
        EXPECT_LE(std::fabs(decoded - double{x.at(t, c)}), most / 127.0 * (0.5 + 127 * 4 * kUnit) + 0x1p-100) << t << " " << c;
      }
    }
  }
}

// As the conversion of single numbers: to nearest, ties to even.
TEST(CodedRows, OfBf16AreRounded) {
  constexpr int64_t kColumns = 96, kTokens = 5;
  Random random(8);
  PaddedRows x(kTokens, kColumns, 5, random);
  for (int64_t c = 0; c < kColumns; c++) {
    x.at(1, c) = std::bit_cast<float>(0x3F800000u + static_cast<uint32_t>(c) * 0x8000u);  // ties among them
    x.at(2, c) = std::bit_cast<float>(random.bits());                                     // any bits: NaN, subnormal, too large
  }
  for (Isa isa : simd_isas()) {
    CodedX coded(x, kTokens, kColumns, isa);
    for (int64_t t = 0; t < kTokens; t++) {
      for (int64_t c = 0; c < kColumns; c++) EXPECT_EQ(coded.bf16(t, c), f32_to_bf16(x.at(t, c))) << t << " " << c;
      for (int64_t c = 0; t != 2 && c < kColumns; c++) {
        EXPECT_LE(std::fabs(bf16_to_f32(coded.bf16(t, c)) - x.at(t, c)), 0x1p-8f * std::fabs(x.at(t, c)));
      }
    }
  }
}

// A number that is not finite must not become a finite result.
TEST(CodedRows, NotFiniteStaysNotFinite) {
  for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                    -std::numeric_limits<float>::infinity()}) {
    Random random(11);
    PaddedRows x(2, 64, 0, random);
    x.at(1, 40) = bad;
    for (DType dtype : {DType::kQ8_0, DType::kBF16}) {
      OwnedWeight w(dtype, 5, 64, random);
      for (Isa isa : simd_isas()) {
        CodedX coded(x, 2, 64, isa);
        PackedWeight packed(w.weight, isa);
        PaddedRows out(2, 5, 0);
        const Product product = {out.rows(), &coded.activations, &packed.weight, 2, nullptr};
        multiply({&product, 1}, {nullptr, isa});
        for (int64_t j = 0; j < 5; j++) {
          EXPECT_TRUE(std::isfinite(out.at(0, j)));
          EXPECT_FALSE(std::isfinite(out.at(1, j))) << bad << " " << dtype_name(dtype) << " " << isa_name(isa);
        }
      }
    }
  }
}

struct Case {
  DType dtype;
  int64_t n_tokens, m, k;
};

std::vector<Case> product_cases() {
  std::vector<Case> cases;
  for (DType dtype : packed_dtypes()) {
    const int64_t block = packed_format(dtype)->block_columns;
    for (int64_t n = 1; n <= 17; n++) cases.push_back({dtype, n, 1 + 7 * n % 50, block * (1 + n % 3)});
    for (int64_t m : {1, 8, 15, 16, 17, 31, 32, 33, 64}) {
      cases.push_back({dtype, 1, m, block});
      cases.push_back({dtype, 10, m, block});
    }
    cases.push_back({dtype, 3, 20, 2304});
    cases.push_back({dtype, 512, 40, 1280});
  }
  return cases;
}

// The weight with every code zero: minus its minima (or offsets times scales).
std::vector<float> values_of_zero_codes(const OwnedWeight& w) {
  const PackedFormat& format = *packed_format(w.weight.dtype);
  const bool is_small = format.block_columns == 32;
  const size_t n_scale_bytes = w.weight.dtype == DType::kQ2_K ? 16 : is_small ? 0 : 12;  // before the codes
  std::vector<std::byte> bytes = w.bytes;
  for (size_t at = 1; at < bytes.size(); at += format.block_bytes) {
    const size_t first = at + format.body_offset + n_scale_bytes,
                 last = at + format.body_offset + 4u * static_cast<size_t>(format.body_words);
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(first), bytes.begin() + static_cast<std::ptrdiff_t>(last),
              std::byte{0});
  }
  Weight zero = w.weight;
  zero.data = bytes.data() + 1;
  std::vector<float> values(static_cast<size_t>(zero.n_rows * zero.n_cols));
  dequantize_weight_rows(values.data(), zero, 0, zero.n_rows);
  return values;
}

bool has_minima(DType dtype) {
  return dtype == DType::kQ4_1 || dtype == DType::kQ5_1 || dtype == DType::kQ2_K || dtype == DType::kQ4_K ||
         dtype == DType::kQ5_K;
}

// Against the definition on the decoded activations: only the roundings of scale * d, of the sums and of the reference differ.
TEST(PackedProduct, AgreesWithRef) {
  for (const Case& c : product_cases()) {
    Random random(static_cast<uint32_t>(c.n_tokens * 1000 + c.m));
    OwnedWeight w(c.dtype, c.m, c.k, random);
    PaddedRows x(c.n_tokens, c.k, 3, random), decoded(c.n_tokens, c.k, 0, random);
    CodedX reference(x, c.n_tokens, c.k, simd_isas()[0]);
    for (int64_t t = 0; t < c.n_tokens; t++) {
      for (int64_t i = 0; i < c.k; i++) decoded.at(t, i) = reference.decoded(c.dtype, t, i);
    }
    PaddedRows expected(c.n_tokens, c.m, 0);
    matmul(expected.rows(), decoded.const_rows(), w.weight, c.n_tokens, ref_context());
    const std::vector<float> values = w.values(), zeros = has_minima(c.dtype) ? values_of_zero_codes(w) : values;
    std::vector<double> tolerance(static_cast<size_t>(c.n_tokens * c.m));
    // A sum for every column, or a product and a minimum per 16 columns, and the factors.
    const double roundings = c.dtype == DType::kBF16 ? static_cast<double>(c.k) + 1 : 2.0 * static_cast<double>(c.k) / 16 + 5;
    for (int64_t t = 0; t < c.n_tokens; t++) {
      for (int64_t j = 0; j < c.m; j++) {
        double sum = 0;
        for (int64_t i = 0; i < c.k; i++) {
          const size_t at = static_cast<size_t>(j * c.k + i);
          sum += std::fabs(double{decoded.at(t, i)}) * (std::fabs(double{values[at]}) + 2 * std::fabs(double{zeros[at]}));
        }
        tolerance[static_cast<size_t>(t * c.m + j)] = roundings * kUnit * sum + 1e-40;
      }
    }
    for (Isa isa : simd_isas()) {
      CodedX coded(x, c.n_tokens, c.k, isa);
      PackedWeight packed(w.weight, isa);
      PaddedRows out(c.n_tokens, c.m, 2);
      const Product product = {out.rows(), &coded.activations, &packed.weight, c.n_tokens, nullptr};
      multiply({&product, 1}, {nullptr, isa});
      ASSERT_TRUE(close(out.values(), expected.values(), tolerance))
          << dtype_name(c.dtype) << " " << c.n_tokens << " [" << c.m << ", " << c.k << "] " << isa_name(isa);
      ASSERT_TRUE(out.padding_is_untouched()) << dtype_name(c.dtype) << " " << isa_name(isa);
    }
  }
}

// The same bits for a token alone, in a batch, picked by index, on any number of threads and any instruction set.
TEST(PackedProduct, IsInvariant) {
  for (DType dtype : packed_dtypes()) {
    constexpr int64_t kTokens = 37, kRows = 150, kColumns = 1536;
    Random random(13);
    OwnedWeight w(dtype, kRows, kColumns, random);
    PaddedRows x(kTokens, kColumns, 0, random);
    PackedWeight packed(w.weight, Isa::kRef);
    std::vector<float> first;
    for (Isa isa : simd_isas()) {
      CodedX coded(x, kTokens, kColumns, isa);
      ThreadPool pool(3);
      PaddedRows out(kTokens, kRows, 0);
      const Product all = {out.rows(), &coded.activations, &packed.weight, kTokens, nullptr};
      multiply({&all, 1}, {&pool, isa});
      if (first.empty()) first = out.values();
      EXPECT_TRUE(same_bits(out.values(), first)) << dtype_name(dtype) << " " << isa_name(isa);
      for (int64_t n : {1, 2, 4, 5, 8, 9, 13}) {
        std::vector<int32_t> rows;
        for (int64_t t = 0; t < n; t++) rows.push_back(static_cast<int32_t>((t * 11 + n) % kTokens));
        PaddedRows picked(n, kRows, 0);
        const Product some = {picked.rows(), &coded.activations, &packed.weight, n, rows.data()};
        multiply({&some, 1}, {nullptr, isa});
        for (int64_t t = 0; t < n; t++) {
          const auto row = static_cast<size_t>(rows[static_cast<size_t>(t)]) * kRows;
          EXPECT_TRUE(same_bits(std::span(picked.data() + t * kRows, kRows), std::span(first).subspan(row, kRows)))
              << dtype_name(dtype) << " " << isa_name(isa) << " token " << t << " of " << n;
        }
      }
    }
  }
}

TEST(GatedProduct, IsSiluOfGateTimesUp) {
  constexpr int64_t kTokens = 11, kColumns = 256;
  struct GatedCase {
    int64_t n_rows;
    DType gate, up;
  };
  for (const auto& [n_rows, gate_dtype, up_dtype] :
       {GatedCase{5, DType::kQ4_K, DType::kQ6_K}, GatedCase{32, DType::kQ4_K, DType::kQ6_K},
        GatedCase{100, DType::kQ4_K, DType::kQ6_K}, GatedCase{100, DType::kBF16, DType::kBF16},
        GatedCase{37, DType::kBF16, DType::kQ4_K}}) {
    Random random(17);
    OwnedWeight gate(gate_dtype, n_rows, kColumns, random), up(up_dtype, n_rows, kColumns, random);
    PaddedRows x(kTokens, kColumns, 0, random);
    for (Isa isa : simd_isas()) {
      CodedX coded(x, kTokens, kColumns, isa);
      PackedWeight packed_gate(gate.weight, isa), packed_up(up.weight, isa);
      ThreadPool pool(2);
      const Context context = {&pool, isa};
      PaddedRows a(kTokens, n_rows, 0), b(kTokens, n_rows, 0), out(kTokens, n_rows, 0), scratch(kTokens, n_rows, 0);
      const Product both[] = {{a.rows(), &coded.activations, &packed_gate.weight, kTokens, nullptr},
                              {b.rows(), &coded.activations, &packed_up.weight, kTokens, nullptr}};
      multiply(both, context);
      const GatedProduct gated = {out.rows(), scratch.rows(), &coded.activations, &packed_gate.weight, &packed_up.weight,
                                  kTokens,    nullptr};
      multiply_gated({&gated, 1}, context);
      const std::vector<float> gates = a.values(), ups = b.values(), values = out.values();
      for (size_t i = 0; i < values.size(); i++) {
        const double expected = double{gates[i]} / (1 + std::exp(-double{gates[i]})) * double{ups[i]};
        EXPECT_NEAR(values[i], expected, 1e-5 * std::fabs(expected) + 1e-30) << n_rows << " " << isa_name(isa) << " " << i;
      }
    }
  }
}

}  // namespace
}  // namespace minke::testing
