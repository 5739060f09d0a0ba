#include "hub/cache/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

namespace minke::hub {
namespace {

constexpr auto kPollEvery = std::chrono::milliseconds(50);

// Another program may have removed the file between our open and our lock; the lock would then guard nothing.
bool is_still_there(const Directory& directory, const std::string& name, int fd) {
  struct stat by_name {};
  struct stat by_fd {};
  return ::fstatat(directory.fd(), name.c_str(), &by_name, AT_SYMLINK_NOFOLLOW) == 0 && ::fstat(fd, &by_fd) == 0 &&
         by_name.st_ino == by_fd.st_ino && by_name.st_dev == by_fd.st_dev;
}

}  // namespace

Result<std::optional<FileLock>> FileLock::try_acquire(const Directory& directory, const std::string& name, Mode mode) {
  for (;;) {
    int fd = ::openat(directory.fd(), name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0) return storage_error(directory.path_of(name), "cannot open the lock", errno);
    FileLock lock(fd);
    if (::flock(fd, (mode == Mode::kShared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return std::optional<FileLock>();
      if (errno == EINTR) continue;
      int number = errno;
      return error("{}: cannot lock: {}: this file system has no locks: set HF_HUB_CACHE to a local disk",
                   directory.path_of(name), std::strerror(number));
    }
    if (is_still_there(directory, name, fd)) return std::optional<FileLock>(std::move(lock));
  }
}

Result<FileLock> FileLock::acquire(const Directory& directory, const std::string& name, Mode mode, const Cancel& cancel,
                                   const std::function<void()>& on_wait) {
  for (bool has_waited = false;; has_waited = true) {
    auto lock = TRY(try_acquire(directory, name, mode));
    if (lock) return std::move(*lock);
    if (!has_waited) on_wait();
    if (cancel.is_set()) return error("cancelled");
    std::this_thread::sleep_for(kPollEvery);
  }
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);  // closing gives the lock back
}

}  // namespace minke::hub
