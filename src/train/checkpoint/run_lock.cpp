#include "train/checkpoint/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "format/folder.h"

namespace minke {

Result<RunLock> RunLock::take(const std::string& run) {
  std::error_code failure;
  std::filesystem::create_directories(run, failure);
  if (failure) return error("{}: cannot create the folder: {}", run, failure.message());
  const std::string path = path_in(run, ".lock");
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return error("{}: cannot create: {}", path, std::strerror(errno));
  RunLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno == EWOULDBLOCK) return error("{}: another process trains into this folder; wait for its end, or stop it", run);
  return error("{}: cannot lock: {}", path, std::strerror(errno));
}

RunLock::~RunLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace minke
