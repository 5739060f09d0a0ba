#include "hub/cache/directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <random>
#include <utility>

#include "hub/names.h"

namespace minke::hub {
namespace {

constexpr int kOpenFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

// Unique among all writers: two pulls of one process may put the same name there.
std::string temporary_name(const std::string& name) {
  std::random_device random;
  return fmt::format(".{}.{:08x}{:08x}", name, random(), random());
}

bool links_to(int directory, const std::string& name, const std::string& target) {
  std::array<char, 4096> text{};
  ssize_t n = ::readlinkat(directory, name.c_str(), text.data(), text.size());
  return n >= 0 && std::string_view(text.data(), static_cast<size_t>(n)) == target;
}

}  // namespace

tl::unexpected<Error> storage_error(const std::string& path, std::string_view what, int error_number) {
  std::string_view hint;
  if (error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG) {
    hint = ": make room, or set HF_HUB_CACHE to a larger disk; what has arrived is kept and will be resumed";
  } else if (error_number == EACCES || error_number == EPERM || error_number == EROFS || error_number == ENOTDIR) {
    hint = ": set HF_HUB_CACHE to a folder that you can write";
  } else if (error_number == ELOOP) {
    hint = ": it is a symbolic link, and minke does not write through links inside the cache";
  }
  return error("{}: {}: {}{}", printable(path, 1000), what, std::strerror(error_number), hint);
}

Result<Directory> Directory::create(const std::string& path) {
  std::error_code code;
  std::filesystem::create_directories(path, code);
  if (code) return storage_error(path, "cannot make the folder", code.value());
  int fd = ::open(path.c_str(), kOpenFlags);
  if (fd < 0) return storage_error(path, "cannot open the folder", errno);
  return Directory(path, fd);
}

Directory::Directory(Directory&& other) noexcept : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

Directory& Directory::operator=(Directory&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  return *this;
}

Directory::~Directory() {
  if (fd_ >= 0) ::close(fd_);
}

Result<Directory> Directory::child(const std::string& name) const {
  std::string path = path_of(name);
  if (::mkdirat(fd_, name.c_str(), 0777) != 0 && errno != EEXIST) return storage_error(path, "cannot make the folder", errno);
  int fd = ::openat(fd_, name.c_str(), kOpenFlags | O_NOFOLLOW);
  if (fd >= 0) return Directory(path, fd);
  int number = errno;
  struct stat info {};
  // Linux answers ENOTDIR for a link with O_DIRECTORY | O_NOFOLLOW; say which it is.
  bool is_link = ::fstatat(fd_, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode);
  return storage_error(path, "cannot open the folder", is_link ? ELOOP : number);
}

Result<Directory> Directory::descend(std::string_view relative) const {
  int fd = ::openat(fd_, ".", kOpenFlags);
  if (fd < 0) return storage_error(path_, "cannot open the folder", errno);
  Directory at(path_, fd);
  while (!relative.empty()) {
    size_t slash = std::min(relative.find('/'), relative.size());
    at = TRY(at.child(std::string(relative.substr(0, slash))));
    relative.remove_prefix(std::min(slash + 1, relative.size()));
  }
  return at;
}

Status Directory::write_file(const std::string& name, std::string_view text) const {
  std::string temporary = temporary_name(name);
  int fd = ::openat(fd_, temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd < 0) return storage_error(path_of(name), "cannot create", errno);
  ssize_t n = ::write(fd, text.data(), text.size());
  int number = n < 0 ? errno : ENOSPC;
  bool is_written = n == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  ::close(fd);
  if (!is_written) {
    ::unlinkat(fd_, temporary.c_str(), 0);
    return storage_error(path_of(name), "cannot write", number);
  }
  return rename(temporary, *this, name);
}

Status Directory::link(const std::string& name, const std::string& target) const {
  // Straight to its name when nothing is there, so that a killed process leaves no temporary link in a snapshot.
  if (::symlinkat(target.c_str(), fd_, name.c_str()) == 0 || links_to(fd_, name, target)) return {};
  std::string temporary = temporary_name(name);
  if (::symlinkat(target.c_str(), fd_, temporary.c_str()) != 0) {
    int number = errno;
    if (number != EPERM && number != EOPNOTSUPP) return storage_error(path_of(name), "cannot make a link", number);
    return error(
        "{}: this file system has no symbolic links, which the cache is made of: set HF_HUB_CACHE to another disk or use "
        "--local-dir",
        path_of(name));
  }
  Status renamed = rename(temporary, *this, name);
  if (!renamed) ::unlinkat(fd_, temporary.c_str(), 0);
  return renamed;
}

Status Directory::rename(const std::string& from, const Directory& to_directory, const std::string& to) const {
  if (::renameat(fd_, from.c_str(), to_directory.fd_, to.c_str()) == 0) return {};
  return storage_error(to_directory.path_of(to), "cannot put the file in its place", errno);
}

Status Directory::remove_file(const std::string& name) const {
  if (::unlinkat(fd_, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  return storage_error(path_of(name), "cannot remove", errno);
}

Status Directory::sync() const {
  // Some file systems have no fsync for folders (EINVAL); there is nothing more to do there.
  if (::fsync(fd_) == 0 || errno == EINVAL) return {};
  return storage_error(path_, "cannot sync", errno);
}

}  // namespace minke::hub
