// A model in safetensors files: one file, or shards that model.safetensors.index.json names ("weight_map": tensor -> file).
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/json.h"
#include "format/content.h"
#include "format/folder.h"
#include "format/quote.h"
#include "format/safetensors.h"

namespace minke {
namespace {

constexpr size_t kMaxIndexBytes = size_t{100} << 20;

Result<SafetensorsShard> map_one(const std::string& path) {
  auto file = TRY(MappedFile::open(path));
  Content content = sniff_content(file->bytes());
  bool says_nothing = content == Content::kUnknown || content == Content::kSafetensors;
  if (says_nothing && has_pickle_name(path)) return error("{}: {}", path, kPickleReason);
  SafetensorsShard shard;
  shard.header = TRY(parse_safetensors(file->bytes(), path));
  shard.file = std::move(file);
  return shard;
}

struct Index {
  std::unordered_map<std::string, std::string> shard_of;  // tensor -> file name
  std::vector<std::string> shards;                        // sorted
};

// A shard lies beside its index: a name from a file must not reach anywhere else.
bool is_plain_file_name(std::string_view name) {
  return !name.empty() && name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos &&
         name.find("..") == std::string_view::npos && name.ends_with(".safetensors");
}

Result<Index> read_index(const std::string& path) {
  Json json = TRY(read_json_file(path, kMaxIndexBytes));
  if (!json.is_object()) return error("{}: expected an object", path);
  auto map = json.find("weight_map");
  if (map == json.end() || !map->is_object())
    return error("{}: weight_map: expected an object of tensor names and file names", path);
  if (map->empty()) return error("{}: weight_map is empty", path);
  Index index;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string()) return error("{}: weight_map: tensor {}: expected a file name", path, quote_name(tensor));
    std::string shard = file.get<std::string>();
    if (!is_plain_file_name(shard)) {
      return error("{}: weight_map: tensor {}: expected the name of a .safetensors file in the same folder, got {}", path,
                   quote_name(tensor), quote_name(shard));
    }
    index.shards.push_back(shard);
    index.shard_of.emplace(tensor, std::move(shard));
  }
  std::sort(index.shards.begin(), index.shards.end());
  index.shards.erase(std::unique(index.shards.begin(), index.shards.end()), index.shards.end());
  return index;
}

Status check_shards_exist(const Index& index, const std::string& folder) {
  size_t n_missing = 0;
  std::string first;
  for (const std::string& shard : index.shards) {
    if (file_exists(path_in(folder, shard))) continue;
    if (n_missing++ == 0) first = shard;
  }
  if (n_missing == 0) return {};
  return error("{}: {} of {} weight files are missing, the first is {}; finish the download", folder, n_missing,
               index.shards.size(), first);
}

// Every tensor of the file is in the index under this file; returns how many there are. With that, no tensor is in two files.
Result<size_t> check_shard(const SafetensorsShard& shard, const std::string& name, const Index& index) {
  for (const SafetensorsEntry& entry : shard.header.entries) {
    auto it = index.shard_of.find(entry.name);
    if (it == index.shard_of.end()) {
      return error("{}: tensor {} is not in the weight_map of {}", shard.file->path(), quote_name(entry.name),
                   kSafetensorsIndex);
    }
    if (it->second != name) {
      return error("{}: tensor {} is in this file, but {} places it in {}", shard.file->path(), quote_name(entry.name),
                   kSafetensorsIndex, it->second);
    }
  }
  return shard.header.entries.size();
}

tl::unexpected<Error> missing_tensor(const std::vector<SafetensorsShard>& shards, const Index& index,
                                     const std::string& folder) {
  std::map<std::string, std::string> missing(index.shard_of.begin(), index.shard_of.end());
  for (const SafetensorsShard& shard : shards) {
    for (const SafetensorsEntry& entry : shard.header.entries) missing.erase(entry.name);
  }
  const auto& [tensor, shard] = *missing.begin();
  return error("{}: {} of {} tensors of {} are missing, the first is {}, expected in {}", folder, missing.size(),
               index.shard_of.size(), kSafetensorsIndex, quote_name(tensor), shard);
}

Result<std::vector<SafetensorsShard>> map_indexed(const std::string& folder) {
  Index index = TRY(read_index(path_in(folder, kSafetensorsIndex)));
  TRY(check_shards_exist(index, folder));
  std::vector<SafetensorsShard> shards;
  size_t n_tensors = 0;
  for (const std::string& name : index.shards) {
    shards.push_back(TRY(map_one(path_in(folder, name))));
    n_tensors += TRY(check_shard(shards.back(), name, index));
  }
  if (n_tensors != index.shard_of.size()) return missing_tensor(shards, index, folder);
  return shards;
}

Result<std::vector<SafetensorsShard>> map_single(const std::string& path) {
  std::vector<SafetensorsShard> shards;
  shards.push_back(TRY(map_one(path)));
  return shards;
}

Result<std::vector<SafetensorsShard>> map_folder(const std::string& folder) {
  std::string single = path_in(folder, kSafetensorsSingle);
  bool has_single = file_exists(single);
  bool has_index = file_exists(path_in(folder, kSafetensorsIndex));
  if (has_single && has_index) {
    return error("{}: has both {} and {}; remove the one that is out of date", folder, kSafetensorsSingle, kSafetensorsIndex);
  }
  if (has_single) return map_single(single);
  if (has_index) return map_indexed(folder);
  return no_weights(folder);
}

// model-00001-of-00004.safetensors
bool is_shard_name(std::string_view name) {
  constexpr std::string_view kPattern = "-ddddd-of-ddddd.safetensors";
  if (name.size() < kPattern.size()) return false;
  std::string_view tail = name.substr(name.size() - kPattern.size());
  for (size_t i = 0; i < kPattern.size(); i++) {
    bool digit = tail[i] >= '0' && tail[i] <= '9';
    // 'd' stands for a digit, except in ".safetensors", which has none.
    if (kPattern[i] == 'd' ? !digit : tail[i] != kPattern[i]) return false;
  }
  return true;
}

}  // namespace

Result<std::vector<SafetensorsShard>> map_safetensors(const std::string& path) {
  if (is_folder(path)) return map_folder(path);
  std::string name = file_name(path);
  if (name == kSafetensorsIndex) return map_folder(folder_of(path));
  if (!is_shard_name(name) || !file_exists(path)) return map_single(path);
  std::string folder = folder_of(path);
  if (file_exists(path_in(folder, kSafetensorsIndex))) return map_folder(folder);
  return error("{}: is one of several weight files, but {} is not beside it", path, kSafetensorsIndex);
}

Result<SafetensorsFile> open_safetensors(const std::string& path) {
  std::vector<SafetensorsShard> shards = TRY(map_safetensors(path));
  SafetensorsFile out;
  out.metadata = shards.front().header.metadata;
  for (SafetensorsShard& shard : shards) {
    for (SafetensorsEntry& entry : shard.header.entries) {
      auto dtype = dtype_from_safetensors(entry.dtype);
      if (!dtype) {
        return error("{}: tensor {}: dtype {} is valid in safetensors, but minke cannot compute with it", shard.file->path(),
                     quote_name(entry.name), entry.dtype);
      }
      TensorView view{*dtype, std::move(entry.shape), shard.file->bytes().data() + entry.begin};
      auto added = out.tensors.add(entry.name, std::move(view));
      if (!added) return error("{}: tensor {} is also in another file", shard.file->path(), quote_name(entry.name));
    }
    out.tensors.keep(shard.file);
  }
  return out;
}

}  // namespace minke
