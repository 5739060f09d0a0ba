#include "tensor/dtype.h"

#include <array>

#include "base/check.h"
#include "base/checked.h"

namespace minke {
namespace {

// Block sizes of the quantised types: spec of GGUF, section 9.4 of the model notes in docs/formats.md.
constexpr DTypeInfo kTable[] = {
    {DType::kF32, "f32", "F32", 0, 1, 4, false, true},
    {DType::kF16, "f16", "F16", 1, 1, 2, false, true},
    {DType::kBF16, "bf16", "BF16", 30, 1, 2, false, true},
    {DType::kF64, "f64", "F64", 28, 1, 8, false, true},
    {DType::kF8E4M3, "f8e4m3", "F8_E4M3", -1, 1, 1, false, true},
    {DType::kF8E5M2, "f8e5m2", "F8_E5M2", -1, 1, 1, false, true},
    {DType::kF8E8M0, "f8e8m0", "F8_E8M0", -1, 1, 1, false, true},
    {DType::kI8, "i8", "I8", 24, 1, 1, false, false},
    {DType::kU8, "u8", "U8", -1, 1, 1, false, false},
    {DType::kI16, "i16", "I16", 25, 1, 2, false, false},
    {DType::kU16, "u16", "U16", -1, 1, 2, false, false},
    {DType::kI32, "i32", "I32", 26, 1, 4, false, false},
    {DType::kU32, "u32", "U32", -1, 1, 4, false, false},
    {DType::kI64, "i64", "I64", 27, 1, 8, false, false},
    {DType::kU64, "u64", "U64", -1, 1, 8, false, false},
    {DType::kBool, "bool", "BOOL", -1, 1, 1, false, false},
    {DType::kQ4_0, "q4_0", "", 2, 32, 18, true, true},
    {DType::kQ4_1, "q4_1", "", 3, 32, 20, true, true},
    {DType::kQ5_0, "q5_0", "", 6, 32, 22, true, true},
    {DType::kQ5_1, "q5_1", "", 7, 32, 24, true, true},
    {DType::kQ8_0, "q8_0", "", 8, 32, 34, true, true},
    {DType::kQ2_K, "q2_k", "", 10, 256, 84, true, true},
    {DType::kQ3_K, "q3_k", "", 11, 256, 110, true, true},
    {DType::kQ4_K, "q4_k", "", 12, 256, 144, true, true},
    {DType::kQ5_K, "q5_k", "", 13, 256, 176, true, true},
    {DType::kQ6_K, "q6_k", "", 14, 256, 210, true, true},
    {DType::kIQ4_NL, "iq4_nl", "", 20, 32, 18, true, true},
    {DType::kIQ4_XS, "iq4_xs", "", 23, 256, 136, true, true},
};

constexpr bool table_is_in_enum_order() {
  for (size_t i = 0; i < std::size(kTable); i++) {
    if (static_cast<size_t>(kTable[i].dtype) != i) return false;
  }
  return true;
}
static_assert(table_is_in_enum_order());

}  // namespace

const DTypeInfo& dtype_info(DType dtype) {
  CHECK(static_cast<size_t>(dtype) < std::size(kTable), "dtype {}", static_cast<int>(dtype));
  return kTable[static_cast<size_t>(dtype)];
}

std::span<const DTypeInfo> all_dtypes() { return kTable; }

std::optional<DType> dtype_from_name(std::string_view name) {
  for (const DTypeInfo& row : kTable) {
    if (row.name == name) return row.dtype;
  }
  return std::nullopt;
}

std::optional<DType> dtype_from_safetensors(std::string_view name) {
  for (const DTypeInfo& row : kTable) {
    if (!row.safetensors_name.empty() && row.safetensors_name == name) return row.dtype;
  }
  return std::nullopt;
}

std::optional<DType> dtype_from_gguf(uint32_t id) {
  for (const DTypeInfo& row : kTable) {
    if (row.gguf_id >= 0 && static_cast<uint32_t>(row.gguf_id) == id) return row.dtype;
  }
  return std::nullopt;
}

std::optional<size_t> row_bytes(DType dtype, int64_t n_elements) {
  const DTypeInfo& info = dtype_info(dtype);
  if (n_elements < 0 || n_elements % info.block_elements != 0) return std::nullopt;
  return checked_mul<size_t>(static_cast<size_t>(n_elements / info.block_elements), info.block_bytes);
}

}  // namespace minke
