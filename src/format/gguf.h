// GGUF version 3 (and 2) model files: key/value metadata and tensors. Source: ggml docs/gguf.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "tensor/tensor.h"

namespace minke {

enum class GgufType : uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

std::string_view gguf_type_name(GgufType type);

// A metadata value. Integers of every width are held as 64 bits; `type` (and `element_type` of an array) keeps the width.
// Unsigned integers and bool arrays are uint64_t, signed ones int64_t, both float widths double.
struct GgufValue {
  using Numbers = std::vector<double>;
  GgufType type = GgufType::kU32;
  GgufType element_type = GgufType::kU32;  // of an array
  std::variant<uint64_t, int64_t, double, bool, std::string, std::vector<std::string>, std::vector<int64_t>, Numbers,
               std::vector<uint64_t>>
      value;

  static GgufValue u32(uint32_t v);
  static GgufValue i32(int32_t v);
  static GgufValue u64(uint64_t v);
  static GgufValue f32(float v);
  static GgufValue boolean(bool v);
  static GgufValue string(std::string v);
  static GgufValue strings(std::vector<std::string> v);
  static GgufValue i32s(std::vector<int64_t> v);
  static GgufValue f32s(std::vector<double> v);
};

// Metadata in file order. Typed look-ups accept any integer width and refuse a wrong type with the key's name.
class GgufMetadata {
 public:
  const GgufValue* find(std::string_view key) const;
  void set(std::string key, GgufValue value);  // replaces or appends
  bool has(std::string_view key) const { return find(key) != nullptr; }
  const std::vector<std::pair<std::string, GgufValue>>& entries() const { return entries_; }

  // Required values: an error that names the key when it is missing or of another type.
  Result<int64_t> integer(std::string_view key) const;
  Result<double> number(std::string_view key) const;  // float or integer
  Result<bool> boolean(std::string_view key) const;
  Result<std::string> string(std::string_view key) const;
  Result<std::vector<std::string>> strings(std::string_view key) const;
  Result<std::vector<int64_t>> integers(std::string_view key) const;
  Result<std::vector<double>> numbers(std::string_view key) const;

 private:
  Result<const GgufValue*> require(std::string_view key) const;

  struct KeyHash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>{}(key); }
  };
  std::vector<std::pair<std::string, GgufValue>> entries_;
  std::unordered_map<std::string, size_t, KeyHash, std::equal_to<>> index_;
};

struct GgufFile {
  GgufMetadata metadata;  // of the first part
  TensorMap tensors;      // names as in the file; shapes reversed into row-major order
  uint32_t alignment = 32;
};

// The largest header (metadata and tensor list) that is read; vocabularies of real models need about 20 MB.
constexpr size_t kMaxGgufHeader = size_t{256} << 20;

// The default of "general.alignment", and what the format demands of tensor names and shapes.
constexpr uint32_t kGgufDefaultAlignment = 32;
constexpr size_t kGgufMaxName = 63;
constexpr size_t kGgufMaxDims = 4;

// Parses one file that is in memory; the tensors point into `file`, which must outlive them. `where` names it in errors.
// Everything is checked before a byte of tensor data is touched; memory is bounded by the size of the header.
Result<GgufFile> parse_gguf(std::span<const std::byte> file, std::string_view where);

// Opens a GGUF file, or all parts of a "-00001-of-0000N.gguf" set when given any of them. The files stay mapped as long as
// the tensors live. Errors name the file and the offset, the key or the tensor.
Result<GgufFile> open_gguf(const std::string& path);

}  // namespace minke
