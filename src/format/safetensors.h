// safetensors model files: an 8-byte header length, a JSON header, then tensor data without gaps.
// Source: the "Format" section of the README of huggingface/safetensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "tensor/tensor.h"

namespace minke {

constexpr uint64_t kMaxSafetensorsHeader = 100'000'000;

// Names of a model folder in the layout of Hugging Face.
constexpr std::string_view kSafetensorsSingle = "model.safetensors";
constexpr std::string_view kSafetensorsIndex = "model.safetensors.index.json";

using StringMap = std::vector<std::pair<std::string, std::string>>;  // in file order

// A tensor as the header describes it. The dtype is a name: the format has some (F4, F6_*, C64 ...) that no TensorView can
// hold; such a file is valid, and only loading it is refused.
struct SafetensorsEntry {
  std::string name;
  std::string dtype;
  Shape shape;
  uint64_t begin = 0;  // in the file, from its first byte
  uint64_t end = 0;
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // in the order of their data
  StringMap metadata;                     // "__metadata__"
};

// Parses and checks a whole file that is in memory: sizes, shapes, and that the tensors cover the data exactly.
// `where` names it in errors. Memory is bounded by a small multiple of the header.
Result<SafetensorsHeader> parse_safetensors(std::span<const std::byte> file, std::string_view where);

struct SafetensorsShard {
  std::shared_ptr<const MappedFile> file;
  SafetensorsHeader header;
};

// Maps and checks a .safetensors file, or a folder with model.safetensors or with model.safetensors.index.json and the
// shards that it names. A path to one shard of an indexed set stands for its folder.
Result<std::vector<SafetensorsShard>> map_safetensors(const std::string& path);

struct SafetensorsFile {
  TensorMap tensors;
  StringMap metadata;  // of the first shard
};

// map_safetensors with the tensors as views, which keep the files mapped.
Result<SafetensorsFile> open_safetensors(const std::string& path);

}  // namespace minke
