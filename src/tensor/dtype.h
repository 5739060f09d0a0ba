// Number formats: one row per dtype, with the names that files use and the size of a quant block. Data, no math.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace minke {

enum class DType : uint8_t {
  kF32,
  kF16,
  kBF16,
  kF64,
  kF8E4M3,
  kF8E5M2,
  kF8E8M0,
  kI8,
  kU8,
  kI16,
  kU16,
  kI32,
  kU32,
  kI64,
  kU64,
  kBool,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ2_K,
  kQ3_K,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kIQ4_NL,
  kIQ4_XS,
};

struct DTypeInfo {
  DType dtype;
  std::string_view name;              // ours and the CLI's: f32, bf16, q4_k ...
  std::string_view safetensors_name;  // "" when safetensors has no such dtype
  int gguf_id;                        // -1 when GGUF has no such type
  int64_t block_elements;             // elements of a quant block; 1 for plain dtypes
  size_t block_bytes;
  bool is_quantized;
  bool is_float;  // can be a weight: plain floats and quantised ones
};

const DTypeInfo& dtype_info(DType dtype);
std::span<const DTypeInfo> all_dtypes();
inline std::string_view dtype_name(DType dtype) { return dtype_info(dtype).name; }

std::optional<DType> dtype_from_name(std::string_view name);
std::optional<DType> dtype_from_safetensors(std::string_view name);  // case-sensitive, as the format demands
std::optional<DType> dtype_from_gguf(uint32_t id);

// Bytes of one row of n elements; none when n is negative, not a multiple of the block, or the size overflows.
std::optional<size_t> row_bytes(DType dtype, int64_t n_elements);

}  // namespace minke
