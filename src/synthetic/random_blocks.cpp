#include "synthetic/random_blocks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "base/rng.h"
#include "kernels/convert.h"

namespace minke {
namespace {

// Where a block has its scale, and its minimum as a multiple of the scale: the middle of the codes, so that the mean is zero.
struct ScalePlace {
  DType dtype;
  size_t scale_at;
  int minimum_at;  // -1: none
  double minimum;
};

constexpr ScalePlace kScalePlaces[] = {
    {DType::kQ4_0, 0, -1, 0},   {DType::kQ4_1, 0, 2, -7.5},  {DType::kQ5_0, 0, -1, 0},   {DType::kQ5_1, 0, 2, -15.5},
    {DType::kQ8_0, 0, -1, 0},   {DType::kQ2_K, 80, 82, 1.5}, {DType::kQ3_K, 108, -1, 0}, {DType::kQ4_K, 0, 2, 7.5},
    {DType::kQ5_K, 0, 2, 15.5}, {DType::kQ6_K, 208, -1, 0},  {DType::kIQ4_NL, 0, -1, 0}, {DType::kIQ4_XS, 0, -1, 0},
};

const ScalePlace& scale_place(DType dtype) {
  for (const ScalePlace& place : kScalePlaces) {
    if (place.dtype == dtype) return place;
  }
  CHECK(false, "no blocks of {}", dtype_name(dtype));
}

void put_f16(std::byte* out, double value) {
  uint16_t bits = f32_to_f16(static_cast<float>(value));
  std::memcpy(out, &bits, sizeof(bits));
}

// 6-bit scales of Q4_K and Q5_K, from 32 to 63 and each equal to its minimum, packed in 12 bytes.
void set_six_bit_scales(uint8_t* packed, uint64_t random) {
  for (int j = 0; j < 4; j++, random >>= 10) {
    auto low = static_cast<uint8_t>(32 | (random & 31)), high = static_cast<uint8_t>(32 | ((random >> 5) & 31));
    packed[j] = packed[j + 4] = static_cast<uint8_t>(low | ((high >> 4) << 6));
    packed[j + 8] = static_cast<uint8_t>((high & 15) | ((high & 15) << 4));
  }
}

// What is left to do to a block of random bytes but its scale. The formats without minimum are made symmetric by the sign of
// the scale, or of its parts; 3-bit and IQ4_XS scales are signed as they are.
void set_parts(uint8_t* block, DType dtype, uint64_t random) {
  switch (dtype) {
    case DType::kQ8_0:
      for (int j = 2; j < 34; j++) block[j] = block[j] == 0x80 ? 0x81 : block[j];  // no quantiser gives -128
      break;
    case DType::kQ2_K:
      for (int j = 0; j < 16; j++) block[j] = static_cast<uint8_t>((8 | (block[j] & 7)) * 0x11);
      break;
    case DType::kQ4_K:
    case DType::kQ5_K:
      set_six_bit_scales(block + 4, random);
      break;
    case DType::kQ6_K:
      for (int j = 192; j < 208; j++) {
        int magnitude = 64 + (block[j] & 63);
        block[j] = static_cast<uint8_t>((block[j] & 64) != 0 ? -magnitude : magnitude);
      }
      break;
    default:
      break;
  }
}

bool has_signed_scale(DType dtype) {
  return dtype == DType::kQ4_0 || dtype == DType::kQ5_0 || dtype == DType::kQ8_0 || dtype == DType::kIQ4_NL;
}

}  // namespace

RandomBlocks::RandomBlocks(DType dtype, double standard_deviation) : dtype_(dtype), unit_(standard_deviation) {
  CHECK(dtype_info(dtype).is_float && dtype != DType::kF64, "no random {}", dtype_name(dtype));
  const DTypeInfo& info = dtype_info(dtype);
  if (!info.is_quantized) return;
  // The unit that gives the standard deviation asked for follows from what a unit of one gives.
  constexpr int64_t kBlocks = 1024;
  unit_ = 1;
  std::vector<std::byte> blocks(static_cast<size_t>(kBlocks) * info.block_bytes);
  std::vector<float> values(static_cast<size_t>(kBlocks * info.block_elements));
  fill_quantised(blocks.data(), 0, 0, kBlocks);
  dequantize_row(values.data(), dtype, blocks.data(), static_cast<int64_t>(values.size()));
  double squares = 0;
  for (float value : values) squares += static_cast<double>(value) * value;
  unit_ = standard_deviation / std::sqrt(squares / static_cast<double>(values.size()));
}

void RandomBlocks::fill(std::byte* out, uint64_t key, int64_t first_block, int64_t n_blocks) const {
  dtype_info(dtype_).is_quantized ? fill_quantised(out, key, first_block, n_blocks)
                                  : fill_plain(out, key, first_block, n_blocks);
}

// Nearly normal: the sum of four uniform numbers, whose variance is a third.
void RandomBlocks::fill_plain(std::byte* out, uint64_t key, int64_t first, int64_t n) const {
  constexpr int64_t kBuffer = 256;
  const double scale = unit_ * std::sqrt(3.0) / 65536.0;
  const size_t element_bytes = dtype_info(dtype_).block_bytes;
  std::array<float, kBuffer> values;
  for (int64_t start = 0; start < n; start += kBuffer) {
    int64_t count = std::min(kBuffer, n - start);
    for (int64_t i = 0; i < count; i++) {
      uint64_t random = splitmix64(key + static_cast<uint64_t>(first + start + i));
      int64_t sum = 0;
      for (int part = 0; part < 64; part += 16) sum += static_cast<int64_t>((random >> part) & 0xFFFF);
      values[static_cast<size_t>(i)] = static_cast<float>((static_cast<double>(sum) - 4 * 32767.5) * scale);
    }
    quantize_row(out + static_cast<size_t>(start) * element_bytes, dtype_, values.data(), count);
  }
}

void RandomBlocks::fill_quantised(std::byte* out, uint64_t key, int64_t first_block, int64_t n_blocks) const {
  const ScalePlace& place = scale_place(dtype_);
  const size_t block_bytes = dtype_info(dtype_).block_bytes;
  const size_t n_words = block_bytes / 8 + 1;  // one more than whole words: the last serves scales and signs
  for (int64_t b = 0; b < n_blocks; b++, out += block_bytes) {
    uint64_t counter = key + static_cast<uint64_t>(first_block + b) * n_words;
    uint64_t random = 0;
    for (size_t w = 0; w < n_words; w++) {
      random = splitmix64(counter + w);
      std::memcpy(out + 8 * w, &random, std::min<size_t>(8, block_bytes - 8 * w));
    }
    set_parts(reinterpret_cast<uint8_t*>(out), dtype_, random);
    bool is_negative = has_signed_scale(dtype_) && (random >> 63) != 0;
    put_f16(out + place.scale_at, is_negative ? -unit_ : unit_);
    if (place.minimum_at >= 0) put_f16(out + place.minimum_at, place.minimum * unit_);
  }
}

}  // namespace minke
