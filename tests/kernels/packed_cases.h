// What the tests of packed weights share: weights in panels and coded activations, with the memory behind them.
#pragma once

#include "kernel_cases.h"
#include "kernels/packed/layout.h"
#include "kernels/packed/pack.h"
#include "kernels/packed/product.h"

namespace minke::testing {

inline std::vector<DType> packed_dtypes() {
  std::vector<DType> dtypes;
  for (const DTypeInfo& info : all_dtypes()) {
    if (packed_format(info.dtype) != nullptr) dtypes.push_back(info.dtype);
  }
  return dtypes;
}

// 64-byte aligned bytes.
struct Aligned {
  explicit Aligned(size_t n) : memory(n + 64) {}
  std::byte* data() { return reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(memory.data()) + 63) & ~uintptr_t{63}); }
  std::vector<std::byte> memory;
};

struct PackedWeight {
  PackedWeight(const Weight& source, Isa isa) : bytes(packed_bytes(source)) {
    pack_rows(bytes.data(), source, 0, source.n_rows, isa);
    weight = packed_weight(source, bytes.data());
  }
  Aligned bytes;
  Weight weight;
};

constexpr Codings kAllCodings = {.int8 = true, .bf16 = true};

struct CodedX {
  CodedX(const PaddedRows& x, int64_t n, int64_t k, Isa isa) : bytes(static_cast<size_t>(coded_bytes(kAllCodings, n, k))) {
    auto* memory = reinterpret_cast<uint8_t*>(bytes.data());
    activations = code_rows(x.rows(), n, k, kAllCodings, memory, {nullptr, isa});
  }
  const int8_t* codes(int64_t t) const { return reinterpret_cast<const int8_t*>(row(t)); }
  float d(int64_t t, int64_t block) const {
    float value;
    std::memcpy(&value, row(t) + activations.n_cols + 4 * block, sizeof(value));
    return value;
  }
  const uint8_t* row(int64_t t) const { return activations.int8.data + t * activations.int8.stride; }
  const uint8_t* row_bf16(int64_t t) const { return activations.bf16.data + t * activations.bf16.stride; }
  uint16_t bf16(int64_t t, int64_t c) const {
    uint16_t bits;
    std::memcpy(&bits, row_bf16(t) + 2 * c, sizeof(bits));
    return bits;
  }
  // What a product with packed weights of this dtype sees of x[t, c].
  float decoded(DType dtype, int64_t t, int64_t c) const {
    return dtype == DType::kBF16 ? bf16_to_f32(bf16(t, c)) : d(t, c / 32) * static_cast<float>(codes(t)[c]);
  }
  Aligned bytes;
  Activations activations;
};

}  // namespace minke::testing
