// Where pulled files go. Two kinds: the cache that huggingface_hub and transformers share, and a plain folder.
//
// Cache:  models--org--name/blobs/<hash>                    the bytes, under their own hash
//         models--org--name/snapshots/<commit>/<path>       relative link to ../../blobs/<hash>
//         models--org--name/refs/<revision>                 the 40 hex digits of the commit, nothing else
//         .locks/models--org--name/<hash>.lock
// Folder: <path>, and .cache/huggingface/download/ for what is under way, as `hf download --local-dir` does.
#pragma once

#include <memory>
#include <string>

#include "hub/cache/directory.h"
#include "hub/cache/file_lock.h"
#include "hub/listing.h"

namespace minke::hub {

// Where one file of a pull is written, and under which lock.
struct Place {
  std::shared_ptr<const Directory> final_directory;
  std::string final_name;
  std::shared_ptr<const Directory> partial_directory;
  std::string partial_name;  // "<hash>.incomplete": the same in every run, so that a run goes on where the last one stopped
  std::shared_ptr<const Directory> lock_directory;
  std::string lock_name;
  bool is_named_by_hash = false;  // the final name promises the content
};

class Store {
 public:
  virtual ~Store() = default;
  virtual Result<Place> place_of(const RemoteFile& file) = 0;
  // Called when the bytes are in their place and checked.
  virtual Status publish(const RemoteFile& file) = 0;
  // Called when all files are.
  virtual Status finish(const std::string& revision) = 0;
  // The folder in which the paths of the repository are found.
  virtual std::string root() const = 0;
  // For the disk space check.
  virtual std::string disk_path() const = 0;
};

// The lock that a pull shares and that remove_cached() takes for itself, in .locks/models--org--name.
constexpr const char* kRepoLockName = "minke-repo.lock";

Result<std::unique_ptr<Store>> open_cache_store(const std::string& cache_dir, const std::string& repo,
                                                const std::string& commit);
Result<std::unique_ptr<Store>> open_folder_store(const std::string& folder, const std::string& commit);

// .locks/models--org--name of a cache.
Result<Directory> open_lock_directory(const std::string& cache_dir, const std::string& repo);

}  // namespace minke::hub
