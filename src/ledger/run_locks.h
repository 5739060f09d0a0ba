// Which runs are alive: each holds a lock on the byte of its number in one file beside the ledger, for as long as its process
// lives. The kernel gives the lock back however the process ends, and other than a process id it cannot be taken for that of
// a later process, of another container or of the time before a reboot.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "base/error.h"

namespace minke::ledger {

class RunLocks {
 public:
  static Result<RunLocks> open(const std::string& path);
  RunLocks(RunLocks&& other) noexcept;
  RunLocks& operator=(RunLocks&&) = delete;
  ~RunLocks();

  Status hold(int64_t run);
  void release(int64_t run);
  // By whatever process.
  Result<bool> is_held(int64_t run) const;

 private:
  RunLocks(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string path_;
  int fd_;
  std::set<int64_t> ours_;  // a lock of our own does not stand in our way, so the kernel would call it free
};

}  // namespace minke::ledger
