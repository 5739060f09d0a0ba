// flock() on a file that stays: the same locks, in the same places, as huggingface_hub's, so that both can share a cache.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "hub/cache/directory.h"
#include "hub/cancel.h"

namespace minke::hub {

class FileLock {
 public:
  enum class Mode { kShared, kExclusive };

  // Waits until it is free; on_wait is called once when it is not. An error when the user cancels.
  static Result<FileLock> acquire(const Directory& directory, const std::string& name, Mode mode, const Cancel& cancel,
                                  const std::function<void()>& on_wait);
  // None when someone else has it.
  static Result<std::optional<FileLock>> try_acquire(const Directory& directory, const std::string& name, Mode mode);

  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace minke::hub
