#include "format/safetensors_writer.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/json.h"
#include "base/utf8.h"
#include "format/folder.h"
#include "format/quote.h"

namespace minke {
namespace {

constexpr size_t kHeaderPadding = 8;  // so that the data begins aligned

Result<std::string> make_header(std::span<const TensorSource> sources, const StringMap& metadata) {
  Json header = Json::object();
  auto& top = static_cast<Json::object_t::Container&>(header.get_ref<Json::object_t&>());  // appending without a search
  if (!metadata.empty()) {
    Json map = Json::object();
    for (const auto& [key, value] : metadata) {
      if (!utf8_valid(key) || !utf8_valid(value)) return error("__metadata__ {}: not valid UTF-8", quote_name(key));
      if (map.contains(key)) return error("__metadata__ {}: appears twice", quote_name(key));
      map[key] = value;
    }
    top.emplace_back("__metadata__", std::move(map));
  }
  uint64_t offset = 0;
  for (const TensorSource& source : sources) {
    std::string who = "tensor " + quote_name(source.name);
    if (!utf8_valid(source.name)) return error("{}: the name is not valid UTF-8", who);
    if (source.name == "__metadata__") return error("{}: the format keeps this name for itself", who);
    const DTypeInfo& dtype = dtype_info(source.dtype);
    if (dtype.safetensors_name.empty()) return error("{}: safetensors has no dtype {}; write GGUF instead", who, dtype.name);
    uint64_t n_bytes = TRY_IN(who, tensor_bytes(source.dtype, source.shape));
    Json entry = {{"dtype", dtype.safetensors_name}, {"shape", source.shape}, {"data_offsets", {offset, offset + n_bytes}}};
    top.emplace_back(source.name, std::move(entry));
    offset += n_bytes;
  }
  std::string text = dump_json(header);
  text.append((kHeaderPadding - text.size() % kHeaderPadding) % kHeaderPadding, ' ');
  if (text.size() > kMaxSafetensorsHeader)
    return error("a header of {} bytes, expected at most {}", text.size(), kMaxSafetensorsHeader);
  return text;
}

// Everything of a file but its final name.
Result<AtomicFile> write_uncommitted(const std::string& path, std::span<const TensorSource> sources,
                                     const StringMap& metadata) {
  std::string header = TRY_IN(path, make_header(sources, metadata));
  AtomicFile file = TRY(AtomicFile::create(path));
  uint64_t header_bytes = header.size();
  TRY(file.write(std::as_bytes(std::span(&header_bytes, 1))));
  TRY(file.write(header));
  for (const TensorSource& source : sources) TRY(write_tensor(file, path, source));
  return file;
}

std::string shard_name(size_t index, size_t n_shards) {
  return fmt::format("model-{:05}-of-{:05}.safetensors", index + 1, n_shards);
}

std::string make_index(const std::vector<std::span<const TensorSource>>& shards, uint64_t total_bytes) {
  Json map = Json::object();
  auto& entries = static_cast<Json::object_t::Container&>(map.get_ref<Json::object_t&>());
  for (size_t i = 0; i < shards.size(); i++) {
    for (const TensorSource& source : shards[i]) entries.emplace_back(source.name, shard_name(i, shards.size()));
  }
  Json index = {{"metadata", {{"total_size", total_bytes}}}, {"weight_map", std::move(map)}};
  return dump_json(index, 2) + "\n";
}

Status refuse_other_layout(const std::string& folder, std::string_view name) {
  if (!file_exists(path_in(folder, name))) return {};
  return error("{}: already has {}, which would contradict the new weight files; remove it or write to another folder", folder,
               name);
}

Status write_shards(const std::string& folder, const std::vector<std::span<const TensorSource>>& shards, uint64_t total_bytes,
                    const StringMap& metadata) {
  TRY(refuse_other_layout(folder, kSafetensorsSingle));
  std::string index_path = path_in(folder, kSafetensorsIndex);
  std::vector<AtomicFile> files;
  for (size_t i = 0; i < shards.size(); i++) {
    files.push_back(TRY(write_uncommitted(path_in(folder, shard_name(i, shards.size())), shards[i], metadata)));
  }
  AtomicFile index = TRY(AtomicFile::create(index_path));
  TRY(index.write(make_index(shards, total_bytes)));
  // From here on an old index would describe a mixture of old and new shards.
  std::error_code failure;
  std::filesystem::remove(index_path, failure);
  if (failure) return error("{}: cannot remove the old index: {}", index_path, failure.message());
  for (AtomicFile& file : files) TRY(file.commit());
  return index.commit();
}

}  // namespace

Status write_safetensors(const std::string& path, std::span<const TensorSource> sources, const SafetensorsOptions& options) {
  CHECK(options.max_shard_bytes == 0, "write_safetensors writes one file; shards need a folder");
  TRY_IN(path, check_sources(sources));
  AtomicFile file = TRY(write_uncommitted(path, sources, options.metadata));
  return file.commit();
}

Status write_safetensors_model(const std::string& folder, std::span<const TensorSource> sources,
                               const SafetensorsOptions& options) {
  uint64_t total_bytes = TRY_IN(folder, check_sources(sources));
  auto shards = cut_sources(sources, options.max_shard_bytes);
  if (shards.size() > 1) return write_shards(folder, shards, total_bytes, options.metadata);
  TRY(refuse_other_layout(folder, kSafetensorsIndex));
  SafetensorsOptions one_file = options;
  one_file.max_shard_bytes = 0;
  return write_safetensors(path_in(folder, kSafetensorsSingle), sources, one_file);
}

}  // namespace minke
