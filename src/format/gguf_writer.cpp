#include "format/gguf_writer.h"

#include <array>
#include <bit>
#include <limits>
#include <type_traits>

#include "base/check.h"
#include "base/checked.h"
#include "base/utf8.h"
#include "format/gguf_parts.h"
#include "format/quote.h"

namespace minke {
namespace {

constexpr uint32_t kVersion = 3;

template <typename T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void put_text(std::string& out, std::string_view text) {
  put(out, uint64_t{text.size()});
  out += text;
}

// A number in the width of its type; `Stored` is what GgufValue holds for that type.
template <typename Stored>
void put_number(std::string& out, GgufType type, Stored value) {
  switch (type) {
    case GgufType::kU8:
    case GgufType::kI8:
    case GgufType::kBool:
      return put(out, static_cast<uint8_t>(value));
    case GgufType::kU16:
    case GgufType::kI16:
      return put(out, static_cast<uint16_t>(value));
    case GgufType::kU32:
    case GgufType::kI32:
      return put(out, static_cast<uint32_t>(value));
    case GgufType::kU64:
    case GgufType::kI64:
      return put(out, static_cast<uint64_t>(value));
    case GgufType::kF32:
      return put(out, static_cast<float>(value));
    case GgufType::kF64:
      return put(out, static_cast<double>(value));
    case GgufType::kString:
    case GgufType::kArray:
      CHECK(false, "{} is not a number", gguf_type_name(type));
  }
}

template <typename T>
struct IsVector : std::false_type {};
template <typename T>
struct IsVector<std::vector<T>> : std::true_type {};

void put_value(std::string& out, const GgufValue& value) {
  // The first five alternatives of the variant are single values.
  CHECK((value.value.index() > 4) == (value.type == GgufType::kArray), "a {} holds alternative {}", gguf_type_name(value.type),
        value.value.index());
  std::visit(
      [&](const auto& held) {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, std::string>) {
          put_text(out, held);
        } else if constexpr (std::is_same_v<Held, std::vector<std::string>>) {
          put(out, static_cast<uint32_t>(value.element_type));
          put(out, uint64_t{held.size()});
          for (const std::string& element : held) put_text(out, element);
        } else if constexpr (IsVector<Held>::value) {
          put(out, static_cast<uint32_t>(value.element_type));
          put(out, uint64_t{held.size()});
          for (auto element : held) put_number(out, value.element_type, element);
        } else {
          put_number(out, value.type, held);
        }
      },
      value.value);
}

Result<uint64_t> alignment_of(const GgufMetadata& metadata) {
  if (!metadata.has("general.alignment")) return kGgufDefaultAlignment;
  int64_t alignment = TRY(metadata.integer("general.alignment"));
  bool is_u32 = metadata.find("general.alignment")->type == GgufType::kU32;
  if (!is_u32 || !std::has_single_bit(static_cast<uint64_t>(alignment))) {
    return error("key \"general.alignment\": expected a power of two as u32, got {}", alignment);
  }
  return static_cast<uint64_t>(alignment);
}

Status put_tensor_info(std::string& out, const TensorSource& source, uint64_t offset) {
  std::string who = "tensor " + quote_name(source.name);
  if (source.name.size() > kGgufMaxName || !utf8_valid(source.name)) {
    return error("{}: GGUF names have at most {} bytes of UTF-8, got {} bytes", who, kGgufMaxName, source.name.size());
  }
  if (source.shape.size() > kGgufMaxDims)
    return error("{}: GGUF shapes have at most {} dimensions, got {}", who, kGgufMaxDims, shape_text(source.shape));
  const DTypeInfo& dtype = dtype_info(source.dtype);
  if (dtype.gguf_id < 0) return error("{}: GGUF has no dtype {}; convert it to bf16 or another type", who, dtype.name);
  put_text(out, source.name);
  put(out, static_cast<uint32_t>(source.shape.size()));
  for (size_t d = source.shape.size(); d-- > 0;) put(out, static_cast<uint64_t>(source.shape[d]));
  put(out, static_cast<uint32_t>(dtype.gguf_id));
  put(out, offset);
  return {};
}

Result<std::string> make_header(const GgufMetadata& metadata, std::span<const TensorSource> sources, uint64_t alignment) {
  std::string out = "GGUF";
  put(out, kVersion);
  put(out, uint64_t{sources.size()});
  put(out, uint64_t{metadata.entries().size()});
  for (const auto& [key, value] : metadata.entries()) {
    if (key.empty() || !utf8_valid(key)) return error("key {}: expected a name in UTF-8", quote_name(key));
    put_text(out, key);
    put(out, static_cast<uint32_t>(value.type));
    put_value(out, value);
  }
  uint64_t offset = 0;
  for (const TensorSource& source : sources) {
    TRY(put_tensor_info(out, source, offset));
    uint64_t n_bytes = TRY(tensor_bytes(source.dtype, source.shape));
    auto end = checked_add(offset, n_bytes);
    auto next = end ? checked_align(*end, alignment) : std::nullopt;
    if (!next) return error("tensor {}: the size of the file overflows", quote_name(source.name));
    offset = *next;
  }
  if (out.size() > kMaxGgufHeader) return error("a header of {} bytes, expected at most {}", out.size(), kMaxGgufHeader);
  return out;
}

Status pad(AtomicFile& file, uint64_t alignment) {
  static constexpr std::array<std::byte, 4096> kZeros{};
  uint64_t n_left = (alignment - file.n_written() % alignment) % alignment;
  while (n_left > 0) {
    uint64_t n = std::min<uint64_t>(n_left, kZeros.size());
    TRY(file.write(std::span(kZeros).first(static_cast<size_t>(n))));
    n_left -= n;
  }
  return {};
}

// Everything of a file but its final name.
Result<AtomicFile> write_uncommitted(const std::string& path, const GgufMetadata& metadata,
                                     std::span<const TensorSource> sources) {
  uint64_t alignment = TRY_IN(path, alignment_of(metadata));
  std::string header = TRY_IN(path, make_header(metadata, sources, alignment));
  AtomicFile file = TRY(AtomicFile::create(path));
  TRY(file.write(header));
  TRY(pad(file, alignment));
  for (const TensorSource& source : sources) {
    TRY(write_tensor(file, path, source));
    TRY(pad(file, alignment));
  }
  return file;
}

// What every part says about the set; the widths are those that llama.cpp writes.
void set_split_keys(GgufMetadata& metadata, size_t index, size_t n_parts, size_t n_tensors) {
  metadata.set("split.no", {GgufType::kU16, GgufType::kU32, uint64_t{index}});
  metadata.set("split.count", {GgufType::kU16, GgufType::kU32, uint64_t{n_parts}});
  metadata.set("split.tensors.count", GgufValue::i32(static_cast<int32_t>(n_tensors)));
}

}  // namespace

Status write_gguf(const std::string& path, const GgufMetadata& metadata, std::span<const TensorSource> sources) {
  TRY_IN(path, check_sources(sources));
  AtomicFile file = TRY(write_uncommitted(path, metadata, sources));
  return file.commit();
}

Status write_gguf_parts(const std::string& prefix, const GgufMetadata& metadata, std::span<const TensorSource> sources,
                        uint64_t max_part_bytes) {
  TRY_IN(prefix, check_sources(sources));
  auto parts = cut_sources(sources, max_part_bytes);
  if (parts.size() == 1) return write_gguf(prefix + ".gguf", metadata, sources);
  if (parts.size() > std::numeric_limits<uint16_t>::max())
    return error("{}: {} parts, expected at most 65535", prefix, parts.size());
  GgufPartName name{prefix, 0, static_cast<int64_t>(parts.size())};
  std::vector<AtomicFile> files;
  for (size_t i = 0; i < parts.size(); i++) {
    GgufMetadata keys = i == 0 ? metadata : GgufMetadata{};
    if (const GgufValue* alignment = metadata.find("general.alignment")) keys.set("general.alignment", *alignment);
    set_split_keys(keys, i, parts.size(), sources.size());
    files.push_back(TRY(write_uncommitted(name.path_of(static_cast<int64_t>(i)), keys, parts[i])));
  }
  for (AtomicFile& file : files) TRY(file.commit());
  return {};
}

}  // namespace minke
