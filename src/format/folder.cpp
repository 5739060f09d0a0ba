#include "format/folder.h"

#include <algorithm>
#include <filesystem>

#include "format/content.h"
#include "format/quote.h"
#include "format/safetensors.h"

namespace minke {

bool is_folder(const std::string& path) {
  std::error_code unreadable;
  return std::filesystem::is_directory(path, unreadable);
}

bool file_exists(const std::string& path) {
  std::error_code unreadable;
  return std::filesystem::exists(path, unreadable);
}

std::string path_in(std::string_view folder, std::string_view name) { return (std::filesystem::path(folder) / name).string(); }

std::string folder_of(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

std::string file_name(const std::string& path) { return std::filesystem::path(path).filename().string(); }

Result<std::vector<std::string>> list_files(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code failure;
  std::filesystem::directory_iterator it(folder, failure);
  for (; !failure && it != std::filesystem::directory_iterator(); it.increment(failure)) {
    std::error_code unreadable;
    if (it->is_regular_file(unreadable)) names.push_back(it->path().filename().string());
  }
  if (failure) return error("{}: cannot list the folder: {}", folder, failure.message());
  std::sort(names.begin(), names.end());
  return names;
}

tl::unexpected<Error> no_weights(const std::string& folder) {
  auto names = list_files(folder);
  if (!names) return tl::unexpected<Error>(names.error());
  for (const std::string& name : *names) {
    if (name.ends_with(".safetensors")) {
      return error("{}: expected {} or {}, found only {}; give that file's own path", folder, kSafetensorsSingle,
                   kSafetensorsIndex, quote_name(name));
    }
  }
  for (const std::string& name : *names) {
    if (has_pickle_name(name)) return error("{}: the only weights are {}: {}", folder, quote_name(name), kPickleReason);
  }
  return error("{}: no model: expected {}, {} or one .gguf file", folder, kSafetensorsSingle, kSafetensorsIndex);
}

}  // namespace minke
