#include "format/gguf.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

#include "base/checked.h"
#include "base/utf8.h"
#include "format/content.h"
#include "format/quote.h"

namespace minke {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are copied from the file as they are");

// Tensor types of ggml that the dtype table does not have: an error with their name is worth more than a number.
struct ForeignType {
  uint32_t id;
  std::string_view name;
  bool removed;  // ggml itself no longer reads it
};
constexpr ForeignType kForeignTypes[] = {
    {4, "Q4_2", true},     {5, "Q4_3", true},        {9, "Q8_1", false},       {15, "Q8_K", false},      {16, "IQ2_XXS", false},
    {17, "IQ2_XS", false}, {18, "IQ3_XXS", false},   {19, "IQ1_S", false},     {21, "IQ3_S", false},     {22, "IQ2_S", false},
    {29, "IQ1_M", false},  {31, "Q4_0_4_4", true},   {32, "Q4_0_4_8", true},   {33, "Q4_0_8_8", true},   {34, "TQ1_0", false},
    {35, "TQ2_0", false},  {36, "IQ4_NL_4_4", true}, {37, "IQ4_NL_4_8", true}, {38, "IQ4_NL_8_8", true}, {39, "MXFP4", false},
    {40, "NVFP4", false},  {41, "Q1_0", false},
};

// Reads the header from front to back; every read is checked against the end.
class Cursor {
 public:
  Cursor(std::span<const std::byte> file, std::string_view where)
      : bytes_(file.first(std::min(file.size(), kMaxGgufHeader))), file_size_(file.size()), where_(where) {}

  size_t offset() const { return offset_; }
  size_t remaining() const { return bytes_.size() - offset_; }
  std::string_view where() const { return where_; }

  template <typename... Args>
  tl::unexpected<Error> fail(fmt::format_string<Args...> format, Args&&... args) const {
    return error("{}: byte {}: {}", where_, offset_, fmt::format(format, std::forward<Args>(args)...));
  }

  template <typename T>
  Result<T> number(std::string_view what) {
    TRY(need(1, sizeof(T), what));
    return take<T>();
  }

  // n numbers of the file, widened; the count is checked before memory is taken for it.
  template <typename T, typename Stored>
  Result<std::vector<Stored>> numbers(uint64_t n, std::string_view what) {
    TRY(need(n, sizeof(T), what));
    std::vector<Stored> out(static_cast<size_t>(n));
    for (Stored& element : out) element = static_cast<Stored>(take<T>());
    return out;
  }

  Result<std::string_view> text(std::string_view what) {
    uint64_t n_bytes = TRY(number<uint64_t>(what));
    TRY(need(n_bytes, 1, what));
    auto* begin = reinterpret_cast<const char*>(bytes_.data() + offset_);
    offset_ += static_cast<size_t>(n_bytes);
    return std::string_view(begin, static_cast<size_t>(n_bytes));
  }

  // That n elements of at least element_bytes each can still follow.
  Status need(uint64_t n, size_t element_bytes, std::string_view what) const {
    if (n <= remaining() / element_bytes) return {};
    if (bytes_.size() < file_size_)
      return fail("{} ends past the first {} bytes, the most that a header may have", what, kMaxGgufHeader);
    return fail("truncated or damaged: {} needs {} x {} bytes, but the file has {} left", what, n, element_bytes, remaining());
  }

 private:
  template <typename T>
  T take() {
    T value;
    std::memcpy(&value, bytes_.data() + offset_, sizeof(T));
    offset_ += sizeof(T);
    return value;
  }

  std::span<const std::byte> bytes_;
  size_t file_size_;
  std::string_view where_;
  size_t offset_ = 0;
};

Result<GgufType> read_type(Cursor& cursor, std::string_view what) {
  uint32_t id = TRY(cursor.number<uint32_t>(what));
  if (id > static_cast<uint32_t>(GgufType::kF64)) return cursor.fail("{}: expected a value type of 0 to 12, got {}", what, id);
  return static_cast<GgufType>(id);
}

Status check_bools(const Cursor& cursor, std::span<const uint64_t> values, std::string_view what) {
  for (uint64_t value : values) {
    if (value > 1) return cursor.fail("{}: expected a bool of 0 or 1, got {}", what, value);
  }
  return {};
}

Result<GgufValue> read_array(Cursor& cursor, std::string_view what) {
  GgufValue out;
  out.type = GgufType::kArray;
  out.element_type = TRY(read_type(cursor, what));
  uint64_t n = TRY(cursor.number<uint64_t>(what));
  switch (out.element_type) {
    case GgufType::kU8:
      out.value = TRY((cursor.numbers<uint8_t, uint64_t>(n, what)));
      break;
    case GgufType::kU16:
      out.value = TRY((cursor.numbers<uint16_t, uint64_t>(n, what)));
      break;
    case GgufType::kU32:
      out.value = TRY((cursor.numbers<uint32_t, uint64_t>(n, what)));
      break;
    case GgufType::kU64:
      out.value = TRY((cursor.numbers<uint64_t, uint64_t>(n, what)));
      break;
    case GgufType::kI8:
      out.value = TRY((cursor.numbers<int8_t, int64_t>(n, what)));
      break;
    case GgufType::kI16:
      out.value = TRY((cursor.numbers<int16_t, int64_t>(n, what)));
      break;
    case GgufType::kI32:
      out.value = TRY((cursor.numbers<int32_t, int64_t>(n, what)));
      break;
    case GgufType::kI64:
      out.value = TRY((cursor.numbers<int64_t, int64_t>(n, what)));
      break;
    case GgufType::kF32:
      out.value = TRY((cursor.numbers<float, double>(n, what)));
      break;
    case GgufType::kF64:
      out.value = TRY((cursor.numbers<double, double>(n, what)));
      break;
    case GgufType::kBool: {
      auto values = TRY((cursor.numbers<uint8_t, uint64_t>(n, what)));
      TRY(check_bools(cursor, values, what));
      out.value = std::move(values);
      break;
    }
    case GgufType::kString: {
      TRY(cursor.need(n, sizeof(uint64_t), what));
      std::vector<std::string> values;
      values.reserve(static_cast<size_t>(n));
      for (uint64_t i = 0; i < n; i++) values.emplace_back(TRY(cursor.text(what)));
      out.value = std::move(values);
      break;
    }
    case GgufType::kArray:
      return cursor.fail("{}: arrays of arrays are not supported", what);
  }
  return out;
}

Result<GgufValue> read_value(Cursor& cursor, GgufType type, std::string_view what) {
  GgufValue out;
  out.type = type;
  switch (type) {
    case GgufType::kU8:
      out.value = uint64_t{TRY(cursor.number<uint8_t>(what))};
      break;
    case GgufType::kU16:
      out.value = uint64_t{TRY(cursor.number<uint16_t>(what))};
      break;
    case GgufType::kU32:
      out.value = uint64_t{TRY(cursor.number<uint32_t>(what))};
      break;
    case GgufType::kU64:
      out.value = TRY(cursor.number<uint64_t>(what));
      break;
    case GgufType::kI8:
      out.value = int64_t{TRY(cursor.number<int8_t>(what))};
      break;
    case GgufType::kI16:
      out.value = int64_t{TRY(cursor.number<int16_t>(what))};
      break;
    case GgufType::kI32:
      out.value = int64_t{TRY(cursor.number<int32_t>(what))};
      break;
    case GgufType::kI64:
      out.value = TRY(cursor.number<int64_t>(what));
      break;
    case GgufType::kF32:
      out.value = double{TRY(cursor.number<float>(what))};
      break;
    case GgufType::kF64:
      out.value = TRY(cursor.number<double>(what));
      break;
    case GgufType::kBool: {
      uint64_t value = TRY(cursor.number<uint8_t>(what));
      TRY(check_bools(cursor, {&value, 1}, what));
      out.value = value == 1;
      break;
    }
    case GgufType::kString:
      out.value = std::string(TRY(cursor.text(what)));
      break;
    case GgufType::kArray:
      return read_array(cursor, what);
  }
  return out;
}

struct Counts {
  uint64_t n_tensors = 0;
  uint64_t n_keys = 0;
};

Result<Counts> read_head(Cursor& cursor, std::span<const std::byte> file) {
  if (file.size() < 4 || std::memcmp(file.data(), "GGUF", 4) != 0) {
    std::string reason = explain_content(sniff_content(file));
    return error("{}: not a GGUF file: {}", cursor.where(),
                 reason.empty() ? "it does not begin with the bytes \"GGUF\"" : reason);
  }
  TRY(cursor.number<uint32_t>("magic"));
  uint32_t version = TRY(cursor.number<uint32_t>("version"));
  if ((version & 0xFFFF) == 0 && version != 0) {
    return cursor.fail("big-endian GGUF (version bytes 0x{:08x}) is not supported; convert the file to little-endian", version);
  }
  if (version < 2 || version > 3) return cursor.fail("expected GGUF version 2 or 3, got {}", version);
  Counts counts;
  counts.n_tensors = TRY(cursor.number<uint64_t>("tensor count"));
  counts.n_keys = TRY(cursor.number<uint64_t>("key count"));
  return counts;
}

Result<GgufMetadata> read_metadata(Cursor& cursor, uint64_t n_keys) {
  GgufMetadata metadata;
  for (uint64_t i = 0; i < n_keys; i++) {
    std::string key(TRY(cursor.text("key")));
    if (key.empty()) return cursor.fail("key {} has no name", i);
    if (!utf8_valid(key)) return cursor.fail("key {} is not valid UTF-8", quote_name(key));
    if (metadata.has(key)) return cursor.fail("key {} appears twice", quote_name(key));
    std::string what = "key " + quote_name(key);
    GgufType type = TRY(read_type(cursor, what));
    GgufValue value = TRY(read_value(cursor, type, what));
    metadata.set(std::move(key), std::move(value));
  }
  return metadata;
}

Result<uint32_t> read_alignment(const Cursor& cursor, const GgufMetadata& metadata) {
  const GgufValue* value = metadata.find("general.alignment");
  if (value == nullptr) return kGgufDefaultAlignment;
  if (value->type != GgufType::kU32) {
    return error("{}: key \"general.alignment\": expected u32, got {}", cursor.where(), gguf_type_name(value->type));
  }
  uint64_t alignment = std::get<uint64_t>(value->value);
  if (!std::has_single_bit(alignment)) {
    return error("{}: key \"general.alignment\": expected a power of two, got {}", cursor.where(), alignment);
  }
  return static_cast<uint32_t>(alignment);
}

// The length of an empty name, no dimensions, type and offset.
constexpr size_t kMinTensorInfo = 8 + 4 + 4 + 8;

struct TensorInfo {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
  uint64_t offset = 0;
};

Result<DType> read_dtype(Cursor& cursor, const std::string& tensor) {
  uint32_t id = TRY(cursor.number<uint32_t>("tensor type"));
  if (auto dtype = dtype_from_gguf(id)) return *dtype;
  for (const ForeignType& type : kForeignTypes) {
    if (type.id != id) continue;
    return cursor.fail(
        "tensor {}: type {} ({}) is not supported{}; take a file quantised as q8_0, q4_k or another supported type",
        quote_name(tensor), type.name, id, type.removed ? ", it was removed from the format" : "");
  }
  return cursor.fail("tensor {}: unknown tensor type {}", quote_name(tensor), id);
}

Result<TensorInfo> read_tensor_info(Cursor& cursor, uint64_t index) {
  TensorInfo info;
  info.name = std::string(TRY(cursor.text("tensor name")));
  if (info.name.size() > kGgufMaxName) {
    return cursor.fail("tensor {}: expected a name of at most {} bytes, got {}", quote_name(info.name), kGgufMaxName,
                       info.name.size());
  }
  if (!utf8_valid(info.name)) return cursor.fail("the name of tensor {} is not valid UTF-8: {}", index, quote_name(info.name));
  uint32_t n_dims = TRY(cursor.number<uint32_t>("tensor rank"));
  if (n_dims > kGgufMaxDims)
    return cursor.fail("tensor {}: expected at most {} dimensions, got {}", quote_name(info.name), kGgufMaxDims, n_dims);
  for (uint32_t d = 0; d < n_dims; d++) {
    int64_t dim = TRY(cursor.number<int64_t>("tensor shape"));
    if (dim < 0) return cursor.fail("tensor {}: dimension {} is {}", quote_name(info.name), d, dim);
    info.shape.insert(info.shape.begin(), dim);  // the file lists the contiguous axis first
  }
  info.dtype = TRY(read_dtype(cursor, info.name));
  info.offset = TRY(cursor.number<uint64_t>("tensor offset"));
  return info;
}

// Tensors lie one behind the other, each padded to the alignment; the padding of the last one may be missing.
Status place_tensors(TensorMap& tensors, std::vector<TensorInfo> infos, std::span<const std::byte> data, uint64_t alignment,
                     std::string_view where) {
  uint64_t expected = 0;
  for (TensorInfo& info : infos) {
    std::string who = fmt::format("{}: tensor {}", where, quote_name(info.name));
    uint64_t n_bytes = TRY_IN(who, tensor_bytes(info.dtype, info.shape));
    if (info.offset != expected)
      return error("{}: expected to begin at offset {} of the data, got {}", who, expected, info.offset);
    auto end = checked_add(info.offset, n_bytes);
    if (!end || *end > data.size()) {
      return error("{}: truncated: {} bytes at offset {} of the data, which has {} bytes", who, n_bytes, info.offset,
                   data.size());
    }
    TensorView view{info.dtype, std::move(info.shape), data.data() + info.offset};
    if (!tensors.add(std::move(info.name), std::move(view))) return error("{}: appears twice", who);
    auto next = checked_align(*end, alignment);
    if (!next) return error("{}: size overflows", who);
    expected = *next;
  }
  return {};
}

}  // namespace

Result<GgufFile> parse_gguf(std::span<const std::byte> file, std::string_view where) {
  Cursor cursor(file, where);
  Counts counts = TRY(read_head(cursor, file));
  GgufFile out;
  out.metadata = TRY(read_metadata(cursor, counts.n_keys));
  out.alignment = TRY(read_alignment(cursor, out.metadata));
  TRY(cursor.need(counts.n_tensors, kMinTensorInfo, "the list of tensors"));
  std::vector<TensorInfo> infos;
  infos.reserve(static_cast<size_t>(counts.n_tensors));
  for (uint64_t i = 0; i < counts.n_tensors; i++) infos.push_back(TRY(read_tensor_info(cursor, i)));
  if (infos.empty()) return out;

  auto data_start = checked_align(cursor.offset(), out.alignment);
  if (!data_start || *data_start > file.size()) {
    return cursor.fail("truncated: the tensor data should begin {} bytes aligned, but the file ends at {}", out.alignment,
                       file.size());
  }
  TRY(place_tensors(out.tensors, std::move(infos), file.subspan(static_cast<size_t>(*data_start)), out.alignment, where));
  return out;
}

}  // namespace minke
