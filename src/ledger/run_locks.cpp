#include "ledger/run_locks.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace minke::ledger {
namespace {

// "Open file description" locks belong to the descriptor, not to the process: closing another descriptor of the file in the
// same process does not drop them, as it would with F_SETLK.
struct flock byte_lock(int64_t run, short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = run;
  lock.l_len = 1;
  return lock;
}

}  // namespace

Result<RunLocks> RunLocks::open(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 && (errno == EACCES || errno == EROFS)) fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return error("{}: cannot open: {}: set MINKE_HOME to a folder that you can write to", path, std::strerror(errno));
  }
  return RunLocks(path, fd);
}

RunLocks::RunLocks(RunLocks&& other) noexcept : path_(std::move(other.path_)), fd_(other.fd_), ours_(std::move(other.ours_)) {
  other.fd_ = -1;
}

RunLocks::~RunLocks() {
  if (fd_ >= 0) ::close(fd_);
}

Status RunLocks::hold(int64_t run) {
  struct flock lock = byte_lock(run, F_WRLCK);
  if (::fcntl(fd_, F_OFD_SETLK, &lock) != 0) {
    return error("{}: cannot lock byte {}: {}: the ledger must lie on a file system with locks", path_, run,
                 std::strerror(errno));
  }
  ours_.insert(run);
  return {};
}

void RunLocks::release(int64_t run) {
  struct flock lock = byte_lock(run, F_UNLCK);
  (void)::fcntl(fd_, F_OFD_SETLK, &lock);  // else closing the file does it
  ours_.erase(run);
}

Result<bool> RunLocks::is_held(int64_t run) const {
  if (ours_.contains(run)) return true;
  struct flock lock = byte_lock(run, F_WRLCK);
  if (::fcntl(fd_, F_OFD_GETLK, &lock) != 0) {
    return error("{}: cannot ask for the lock of byte {}: {}", path_, run, std::strerror(errno));
  }
  return lock.l_type != F_UNLCK;
}

}  // namespace minke::ledger
