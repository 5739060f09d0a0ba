// The folder of a store: files that only their owner may read, and a lock that one process at a time holds.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace minke::store {

// Makes the folder with mode 0700, or takes the rights of others away from one that is there.
Status make_private_folder(const std::string& path);
// Makes an empty file with mode 0600, or takes the rights of others away from one that is there.
Status make_private_file(const std::string& path);
// Writes a new file with mode 0600 and syncs it and its folder.
Status write_private_file(const std::string& path, std::span<const std::byte> bytes);

// Held until the object goes, or the process does.
class FolderLock {
 public:
  static Result<FolderLock> take(const std::string& folder);
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

// Overwrites a file with zeros, syncs it and removes it. Whether the old blocks are overwritten too is up to file system and
// disk.
Status overwrite_and_remove(const std::string& path);

}  // namespace minke::store
