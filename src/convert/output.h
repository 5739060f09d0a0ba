// Where a conversion writes: what may be overwritten, whether it fits, and a folder that is seen only when whole.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "format/model_file.h"

namespace minke {

// Paths of a GGUF output of n_parts: the name itself, or names of its parts.
std::vector<std::string> gguf_output_paths(const std::string& output, size_t n_parts);

// Refuses what exists, unless overwrite, and always what the conversion reads.
Status check_gguf_output(const std::vector<std::string>& paths, bool overwrite, const ModelFiles& input);

// An error when the file system of the output has less room than this.
Status check_space(const std::string& output, uint64_t n_bytes);

// A folder being filled as "<path>.incomplete"; gone when it is not committed.
class StagedFolder {
 public:
  // With overwrite an existing folder is replaced, if it holds nothing but a model.
  static Result<StagedFolder> create(const std::string& path, bool overwrite, const ModelFiles& input);
  StagedFolder(StagedFolder&& other) noexcept;
  StagedFolder& operator=(StagedFolder&&) = delete;
  ~StagedFolder();

  const std::string& staged_path() const { return staged_; }
  Status commit();

 private:
  StagedFolder(std::string path, std::string staged) : path_(std::move(path)), staged_(std::move(staged)) {}
  std::string path_, staged_;
  bool is_pending_ = true;
};

// Paths and sizes of the files of a folder.
Result<std::vector<std::pair<std::string, uint64_t>>> sizes_of(const std::vector<std::string>& paths);

}  // namespace minke
