// One process at a time trains into a folder: two would delete each other's unfinished checkpoints and mix their logs.
#pragma once

#include <string>
#include <utility>

#include "base/error.h"

namespace minke {

// Held until it is destroyed; the system frees it when the process ends in whatever way (flock on RUN/.lock).
class RunLock {
 public:
  // Makes the folder when it is missing. An error when another one holds the lock.
  static Result<RunLock> take(const std::string& run);
  RunLock(RunLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  RunLock& operator=(RunLock&&) = delete;
  ~RunLock();

 private:
  explicit RunLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace minke
