#include "store/folder_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/file.h"

namespace minke::store {
namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> system_failure(const std::string& path, std::string_view what) {
  const int code = errno;
  return error("{}: {}: {}", path, what, std::strerror(code));
}

Status take_rights_of_others(const std::string& path, mode_t wanted) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return system_failure(path, "cannot look at it");
  if ((info.st_mode & 077) == 0) return {};
  if (::chmod(path.c_str(), wanted) != 0) return system_failure(path, "cannot take the rights of others away");
  return {};
}

Status write_all(int fd, std::span<const std::byte> bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_failure(path, "cannot write");
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return {};
}

Status sync_file(int fd, const std::string& path) {
  if (::fsync(fd) != 0) return system_failure(path, "cannot sync");
  return {};
}

Status write_zeros(int fd, const std::string& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return system_failure(path, "cannot look at it");
  const std::vector<std::byte> zeros(size_t{1} << 16);
  auto left = static_cast<size_t>(info.st_size);
  while (left > 0) {
    const size_t n = std::min(left, zeros.size());
    TRY(write_all(fd, std::span(zeros).first(n), path));
    left -= n;
  }
  return sync_file(fd, path);
}

}  // namespace

Status make_private_folder(const std::string& path) {
  std::error_code failed;
  const fs::path parent = fs::path(path).parent_path();
  if (!parent.empty()) fs::create_directories(parent, failed);
  if (::mkdir(path.c_str(), 0700) == 0) return {};
  if (errno != EEXIST || !fs::is_directory(path, failed)) return system_failure(path, "cannot make the folder");
  return take_rights_of_others(path, 0700);
}

Status make_private_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0) {
    ::close(fd);
    return {};
  }
  if (errno != EEXIST) return system_failure(path, "cannot create");
  return take_rights_of_others(path, 0600);
}

Status write_private_file(const std::string& path, std::span<const std::byte> bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return system_failure(path, "cannot create");
  Status written = write_all(fd, bytes, path);
  if (written) written = sync_file(fd, path);
  ::close(fd);
  if (!written) {
    ::unlink(path.c_str());
    return written;
  }
  return sync_directory(fs::path(path).parent_path().string());
}

Result<FolderLock> FolderLock::take(const std::string& folder) {
  const std::string path = folder + "/lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return system_failure(path, "cannot open");
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(fd, F_OFD_SETLK, &lock) == 0) return FolderLock(fd);
  const bool held = errno == EAGAIN || errno == EACCES;
  const auto failure = system_failure(path, "cannot lock; the folder must lie on a file system with locks");
  ::close(fd);
  if (held) return error("{}: another minke has these chats open: close it, or use them there", folder);
  return failure;
}

FolderLock::FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FolderLock::~FolderLock() {
  if (fd_ >= 0) ::close(fd_);
}

Status overwrite_and_remove(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return system_failure(path, "cannot open to overwrite");
  const Status written = write_zeros(fd, path);
  ::close(fd);
  TRY(written);
  if (::unlink(path.c_str()) != 0) return system_failure(path, "cannot remove");
  return {};
}

}  // namespace minke::store
