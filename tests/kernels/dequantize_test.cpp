// Block formats: against the values that the gguf package and PyTorch give, and against the formulas of docs/formats.md written
// out element by element, in the order in which they are documented (the decoders walk sub-blocks instead).
#include "kernels/dequantize.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "base/file.h"
#include "base/json.h"
#include "kernel_cases.h"
#include "support/support.h"

namespace minke::testing {
namespace {

std::vector<DType> block_dtypes() {
  std::vector<DType> dtypes;
  for (const DTypeInfo& info : all_dtypes()) {
    if (info.is_quantized) dtypes.push_back(info.dtype);
  }
  return dtypes;
}

struct Block {
  const uint8_t* p;
  float half(size_t offset) const {
    uint16_t bits;
    std::memcpy(&bits, p + offset, sizeof(bits));
    return f16_to_f32(bits);
  }
  int u8(size_t i) const { return p[i]; }
  int i8(size_t i) const { return static_cast<int8_t>(p[i]); }
  uint32_t u32(size_t offset) const {
    uint32_t bits;
    std::memcpy(&bits, p + offset, sizeof(bits));
    return bits;
  }
};

float times(float a, int b) { return a * static_cast<float>(b); }

constexpr int kIq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

// Element e of a block of 32.
float small_element(DType dtype, Block b, size_t e) {
  const size_t j = e % 16;
  auto nibble = [&](size_t qs) { return e < 16 ? b.u8(qs + j) & 15 : b.u8(qs + j) >> 4; };
  auto fifth = [&](size_t qh) { return static_cast<int>((b.u32(qh) >> e) & 1) << 4; };
  switch (dtype) {
    case DType::kQ4_0:
      return times(b.half(0), nibble(2) - 8);
    case DType::kQ4_1:
      return times(b.half(0), nibble(4)) + b.half(2);
    case DType::kQ5_0:
      return times(b.half(0), (nibble(6) | fifth(2)) - 16);
    case DType::kQ5_1:
      return times(b.half(0), nibble(8) | fifth(4)) + b.half(2);
    case DType::kQ8_0:
      return times(b.half(0), b.i8(2 + e));
    default:
      return times(b.half(0), kIq4[nibble(2)]);  // IQ4_NL
  }
}

int q6_element(Block b, size_t e) {  // the six bits, without the scale
  const size_t half = e / 128, in_half = e % 128, quarter = in_half / 32, l = in_half % 32;
  const uint8_t* ql = b.p + 64 * half;
  const uint8_t* qh = b.p + 128 + 32 * half;
  if (quarter == 0) return ((ql[l] & 15) | ((qh[l] & 3) << 4)) - 32;
  if (quarter == 1) return ((ql[l + 32] & 15) | (((qh[l] >> 2) & 3) << 4)) - 32;
  if (quarter == 2) return ((ql[l] >> 4) | (((qh[l] >> 4) & 3) << 4)) - 32;
  return ((ql[l + 32] >> 4) | (((qh[l] >> 6) & 3) << 4)) - 32;
}

int q3_scale(Block b, size_t is) {
  const uint32_t a0 = b.u32(96), a1 = b.u32(100), a2 = b.u32(104);
  const uint32_t words[4] = {(a0 & 0x0f0f0f0f) | ((a2 & 0x03030303) << 4), (a1 & 0x0f0f0f0f) | (((a2 >> 2) & 0x03030303) << 4),
                             ((a0 >> 4) & 0x0f0f0f0f) | (((a2 >> 4) & 0x03030303) << 4),
                             ((a1 >> 4) & 0x0f0f0f0f) | (((a2 >> 6) & 0x03030303) << 4)};
  return static_cast<int>((words[is / 4] >> (8 * (is % 4))) & 255) - 32;
}

void scale_and_min(const uint8_t* q, size_t j, int& scale, int& min) {
  if (j < 4) {
    scale = q[j] & 63;
    min = q[j + 4] & 63;
  } else {
    scale = (q[j + 4] & 15) | ((q[j - 4] >> 6) << 4);
    min = (q[j + 4] >> 4) | ((q[j] >> 6) << 4);
  }
}

// Element e of a block of 256.
float large_element(DType dtype, Block b, size_t e) {
  const size_t half = e / 128, shift_index = e % 128 / 32, group = e % 32 / 16, l = e % 16;
  const size_t is = e / 16;
  const int shift = static_cast<int>(2 * shift_index);
  if (dtype == DType::kQ2_K) {
    const int q = (b.u8(16 + 32 * half + 16 * group + l) >> shift) & 3;
    const float dl = times(b.half(80), b.u8(is) & 15), ml = times(b.half(82), b.u8(is) >> 4);
    return times(dl, q) - ml;
  }
  if (dtype == DType::kQ3_K) {
    const int q = (b.u8(32 + 32 * half + 16 * group + l) >> shift) & 3;
    const bool has_high = (b.u8(16 * group + l) & (1 << (4 * half + shift_index))) != 0;
    return times(times(b.half(108), q3_scale(b, is)), q - (has_high ? 0 : 4));
  }
  if (dtype == DType::kQ6_K) return times(times(b.half(208), b.i8(192 + is)), q6_element(b, e));
  if (dtype == DType::kIQ4_XS) {
    const size_t ib = e / 32, j = e % 32;
    const int low = (b.u8(4 + ib / 2) >> (4 * (ib % 2))) & 15;
    const int high = static_cast<int>((b.u32(0) >> 16 >> (2 * ib)) & 3);
    const int byte = b.u8(8 + 16 * ib + j % 16);
    return times(times(b.half(0), (low | (high << 4)) - 32), kIq4[j < 16 ? byte & 15 : byte >> 4]);
  }
  const size_t j = e / 32, chunk = j / 2;  // Q4_K, Q5_K
  const size_t qs = (dtype == DType::kQ4_K ? 16 : 48) + 32 * chunk + e % 32;
  int q = j % 2 == 0 ? b.u8(qs) & 15 : b.u8(qs) >> 4;
  if (dtype == DType::kQ5_K) q += 16 * ((b.u8(16 + e % 32) >> j) & 1);
  int scale, min;
  scale_and_min(b.p + 4, j, scale, min);
  return times(times(b.half(0), scale), q) - times(b.half(2), min);
}

TEST(Dequantize, BlockFormatsFollowTheirFormulas) {
  Random random(11);
  for (DType dtype : block_dtypes()) {
    const DTypeInfo& info = dtype_info(dtype);
    const int64_t n = 5 * info.block_elements;
    const std::vector<std::byte> bytes = random_weight_bytes(dtype, n, random);
    std::vector<float> expected, actual(static_cast<size_t>(n));
    for (size_t e = 0; e < static_cast<size_t>(n); e++) {
      const size_t block = e / static_cast<size_t>(info.block_elements),
                   in_block = e % static_cast<size_t>(info.block_elements);
      const Block b{reinterpret_cast<const uint8_t*>(bytes.data()) + block * info.block_bytes};
      expected.push_back(info.block_elements == 32 ? small_element(dtype, b, in_block) : large_element(dtype, b, in_block));
    }
    for (Isa isa : available_isas()) {
      dequantize_row(actual.data(), dtype, bytes.data(), n, dequantizers(isa));
      EXPECT_TRUE(same_bits(actual, expected)) << info.name << " " << isa_name(isa);
    }
  }
}

struct Golden {
  std::string file;
  Json header;
  size_t data_begin;

  std::span<const std::byte> bytes(const std::string& name) const {
    const Json& offsets = header.at(name).at("data_offsets");
    const size_t begin = offsets.at(0).get<size_t>(), end = offsets.at(1).get<size_t>();
    return std::as_bytes(std::span(file)).subspan(data_begin + begin, end - begin);
  }
};

Golden read_golden() {
  Golden golden{read_test_file(repository_path("tests/goldens/dequant/dequant.safetensors")), {}, 0};
  uint64_t header_bytes;
  std::memcpy(&header_bytes, golden.file.data(), sizeof(header_bytes));
  golden.header = value_of(parse_json(std::string_view(golden.file).substr(8, header_bytes), "dequant.safetensors"));
  golden.data_begin = 8 + header_bytes;
  return golden;
}

// Names in the golden file: those of gguf's types, f8_e4m3 and the like of torch's, and f16_patterns.
std::optional<DType> dtype_of_golden(std::string name) {
  if (name == "f16_patterns") return DType::kF16;
  if (name.starts_with("f8_")) name.erase(2, 1);
  return dtype_from_name(name);
}

TEST(Dequantize, AgreesWithTheGoldensToTheBit) {
  const Golden golden = read_golden();
  size_t n_formats = 0;
  for (const auto& [key, entry] : golden.header.items()) {
    if (!key.ends_with(".bytes")) continue;
    const std::string name = key.substr(0, key.size() - 6);
    const auto dtype = dtype_of_golden(name);
    ASSERT_TRUE(dtype.has_value()) << name;
    const auto rows = golden.bytes(key), values = golden.bytes(name + ".values");
    std::vector<float> expected(values.size() / sizeof(float)), actual(expected.size());
    std::memcpy(expected.data(), values.data(), values.size());
    ASSERT_EQ(*row_bytes(*dtype, static_cast<int64_t>(expected.size())), rows.size()) << name;
    for (Isa isa : available_isas()) {
      dequantize_row(actual.data(), *dtype, rows.data(), static_cast<int64_t>(actual.size()), dequantizers(isa));
      for (size_t i = 0; i < actual.size(); i++) {
        if (std::isnan(expected[i]) && std::isnan(actual[i])) continue;
        ASSERT_EQ(std::bit_cast<uint32_t>(actual[i]), std::bit_cast<uint32_t>(expected[i]))
            << name << " " << isa_name(isa) << " element " << i << ": " << actual[i] << ", expected " << expected[i];
      }
    }
    n_formats++;
  }
  EXPECT_EQ(n_formats, block_dtypes().size() + 6);  // f16, bf16, three f8, f16_patterns
}

}  // namespace
}  // namespace minke::testing
