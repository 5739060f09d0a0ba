// Weight files built byte by byte, so that tests can lie in every field.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace minke::testing {

inline std::span<const std::byte> span_of(std::string_view bytes) { return std::as_bytes(std::span(bytes)); }

struct Bytes {
  std::string text;

  template <typename T>
  Bytes& put(T value) {
    text.append(reinterpret_cast<const char*>(&value), sizeof(value));
    return *this;
  }
  Bytes& u32(uint32_t value) { return put(value); }
  Bytes& u64(uint64_t value) { return put(value); }
  Bytes& raw(std::string_view bytes) {
    text += bytes;
    return *this;
  }
  Bytes& string(std::string_view bytes) { return u64(bytes.size()).raw(bytes); }
  Bytes& align(size_t alignment) {
    while (text.size() % alignment != 0) text += '\0';
    return *this;
  }
  // GGUF
  Bytes& head(uint64_t n_tensors, uint64_t n_keys, uint32_t version = 3) {
    return raw("GGUF").u32(version).u64(n_tensors).u64(n_keys);
  }
  Bytes& key(std::string_view name, uint32_t type) { return string(name).u32(type); }
  Bytes& tensor(std::string_view name, const std::vector<uint64_t>& dims, uint32_t type, uint64_t offset) {
    string(name).u32(static_cast<uint32_t>(dims.size()));
    for (uint64_t dim : dims) u64(dim);
    return u32(type).u64(offset);
  }
};

inline std::string safetensors_bytes(std::string_view header, std::string_view data = "") {
  return Bytes{}.string(header).raw(data).text;
}

// A file of both kinds of content: keys or metadata of several types and tensors of several dtypes.
inline std::string good_gguf() {
  Bytes b;
  b.head(3, 4).key("general.architecture", 8).string("llama");
  b.key("tokens", 9).u32(8).u64(2).string("a").string("bc");
  b.key("scores", 9).u32(6).u64(2).put(1.5f).put(-2.0f);
  b.key("flag", 7).put(uint8_t{1});
  b.tensor("a", {3, 2}, 0, 0).tensor("b", {32}, 8, 32).tensor("c", {2}, 27, 96).align(32);
  b.raw(std::string(24, '\x11')).align(32).raw(std::string(34, '\x22')).align(32).raw(std::string(16, '\x33')).align(32);
  return b.text;
}

inline std::string good_safetensors() {
  return safetensors_bytes(
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
      R"("b":{"dtype":"BF16","shape":[2],"data_offsets":[24,28]},"s":{"dtype":"I64","shape":[],"data_offsets":[28,36]}}  )",
      std::string(36, '\x11'));
}

}  // namespace minke::testing
