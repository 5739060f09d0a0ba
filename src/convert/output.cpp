#include "convert/output.h"

#include <filesystem>

#include "base/file.h"
#include "convert/hf_files.h"
#include "format/folder.h"
#include "format/gguf_parts.h"
#include "format/quote.h"

namespace minke {
namespace {

namespace fs = std::filesystem;

bool is_same(const std::string& a, const std::string& b) {
  std::error_code missing;
  return fs::equivalent(a, b, missing);
}

std::vector<std::string> input_paths(const ModelFiles& input) {
  auto part = gguf_part_name(input.weights);
  if (!part) return {input.weights};
  std::vector<std::string> paths;
  for (int64_t i = 0; i < part->n_parts; i++) paths.push_back(part->path_of(i));
  return paths;
}

// What may be deleted for a new model: an empty folder, or files of a model and nothing else.
Status check_replaceable(const std::string& folder) {
  std::error_code failure;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, failure)) {
    std::string name = entry.path().filename().string();
    std::error_code unreadable;
    bool is_weights = name.ends_with(".safetensors") || name.ends_with(".incomplete") || name == kSafetensorsIndex;
    if (entry.is_regular_file(unreadable) && (is_weights || is_side_file(name))) continue;
    return error("{}: not replaced, because it holds more than a model: {}", folder, quote_name(name));
  }
  if (failure) return error("{}: cannot list the folder: {}", folder, failure.message());
  return {};
}

Status check_folder(const std::string& path, bool overwrite, const ModelFiles& input) {
  std::string source = is_folder(input.weights) ? input.weights : folder_of(input.weights);
  if (is_same(path, source)) return error("{}: input and output are the same", path);
  if (!file_exists(path)) return {};
  if (!is_folder(path)) return error("{}: exists and is not a folder; the Hugging Face layout is a folder of files", path);
  std::error_code unreadable;
  if (fs::is_empty(path, unreadable)) return {};
  if (!overwrite) return error("{}: exists already; --force replaces it", path);
  return check_replaceable(path);
}

Status move_folder(const std::string& from, const std::string& to) {
  std::error_code failure;
  fs::rename(from, to, failure);
  if (failure) return error("{}: cannot rename to {}: {}", from, to, failure.message());
  return {};
}

}  // namespace

std::vector<std::string> gguf_output_paths(const std::string& output, size_t n_parts) {
  if (n_parts <= 1) return {output};
  std::string prefix = output.ends_with(".gguf") ? output.substr(0, output.size() - 5) : output;
  GgufPartName name{prefix, 0, static_cast<int64_t>(n_parts)};
  std::vector<std::string> paths;
  for (size_t i = 0; i < n_parts; i++) paths.push_back(name.path_of(static_cast<int64_t>(i)));
  return paths;
}

Status check_gguf_output(const std::vector<std::string>& paths, bool overwrite, const ModelFiles& input) {
  // Readers would look for the other parts.
  if (auto part = gguf_part_name(paths[0]); paths.size() == 1 && part && part->n_parts > 1) {
    return error("{}: is named like part {} of {}; choose a name without the numbers", paths[0], part->index + 1,
                 part->n_parts);
  }
  for (const std::string& path : paths) {
    for (const std::string& read : input_paths(input)) {
      if (is_same(path, read)) return error("{}: input and output are the same", path);
    }
    if (is_folder(path)) return error("{}: is a folder; a GGUF output is a file", path);
    if (file_exists(path) && !overwrite) return error("{}: exists already; --force replaces it", path);
  }
  return {};
}

Status check_space(const std::string& output, uint64_t n_bytes) {
  std::error_code failure;
  fs::space_info space = fs::space(folder_of(output), failure);
  if (failure) return error("{}: cannot write there: {}", folder_of(output), failure.message());
  if (space.available >= n_bytes) return {};
  return error("{}: the output needs {:.1f} MB, but the disk has {:.1f} MB left", output, static_cast<double>(n_bytes) / 1e6,
               static_cast<double>(space.available) / 1e6);
}

Result<StagedFolder> StagedFolder::create(const std::string& output, bool overwrite, const ModelFiles& input) {
  fs::path normal = fs::path(output).lexically_normal();
  if (!normal.has_filename()) normal = normal.parent_path();  // a trailing slash
  std::string path = normal.string();
  TRY(check_folder(path, overwrite, input));
  std::string staged = path + ".incomplete";
  std::error_code failure;
  if (is_folder(staged)) {  // of a conversion that was killed
    TRY(check_replaceable(staged));
    fs::remove_all(staged, failure);
  }
  if (!failure) fs::create_directory(staged, failure);
  if (failure) return error("{}: cannot create the folder: {}", staged, failure.message());
  return StagedFolder(std::move(path), std::move(staged));
}

StagedFolder::StagedFolder(StagedFolder&& other) noexcept
    : path_(std::move(other.path_)), staged_(std::move(other.staged_)), is_pending_(std::exchange(other.is_pending_, false)) {}

StagedFolder::~StagedFolder() {
  if (!is_pending_) return;
  std::error_code ignored;
  fs::remove_all(staged_, ignored);
}

Status StagedFolder::commit() {
  std::error_code failure;
  if (!is_folder(path_) || fs::is_empty(path_, failure)) {
    TRY(move_folder(staged_, path_));
    is_pending_ = false;
    return sync_directory(folder_of(path_));
  }
  std::string old = path_ + ".replaced";
  TRY(move_folder(path_, old));
  if (Status moved = move_folder(staged_, path_); !moved) {
    TRY(move_folder(old, path_));
    return moved;
  }
  is_pending_ = false;
  TRY(sync_directory(folder_of(path_)));
  fs::remove_all(old, failure);
  if (failure) return error("{}: the model is written, but the replaced one cannot be removed: {}", old, failure.message());
  return {};
}

Result<std::vector<std::pair<std::string, uint64_t>>> sizes_of(const std::vector<std::string>& paths) {
  std::vector<std::pair<std::string, uint64_t>> sizes;
  for (const std::string& path : paths) {
    std::error_code failure;
    uint64_t size = fs::file_size(path, failure);
    if (failure) return error("{}: cannot read its size: {}", path, failure.message());
    sizes.emplace_back(path, size);
  }
  return sizes;
}

}  // namespace minke
