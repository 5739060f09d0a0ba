#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/check.h"

namespace minke {
namespace {

constexpr size_t kWriteChunk = size_t{64} << 20;

tl::unexpected<Error> system_error(std::string_view what, const std::string& path) {
  int code = errno;
  return error("{}: {}: {}", path, what, std::strerror(code));
}

// An open descriptor and, for a regular file, its size.
struct OpenFile {
  int fd = -1;
  uint64_t size = 0;
  bool is_regular = false;
  OpenFile() = default;
  OpenFile(OpenFile&& other) noexcept : fd(std::exchange(other.fd, -1)), size(other.size), is_regular(other.is_regular) {}
  OpenFile& operator=(OpenFile&&) = delete;
  ~OpenFile() {
    if (fd >= 0) ::close(fd);
  }
};

Result<OpenFile> open_for_reading(const std::string& path) {
  OpenFile file;
  file.fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file.fd < 0) return system_error("cannot open", path);
  struct stat info {};
  if (::fstat(file.fd, &info) != 0) return system_error("cannot stat", path);
  if (S_ISDIR(info.st_mode)) return error("{}: is a directory, expected a file", path);
  file.is_regular = S_ISREG(info.st_mode);
  file.size = static_cast<uint64_t>(info.st_size);
  return file;
}

// A pipe, such as bash's <(command): its size shows only at its end.
Result<std::string> read_stream(const OpenFile& file, const std::string& path, size_t max_bytes) {
  std::string text;
  std::string buffer(size_t{1} << 16, '\0');
  while (true) {
    ssize_t n = ::read(file.fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("cannot read", path);
    if (n == 0) return text;
    text.append(buffer, 0, static_cast<size_t>(n));
    if (text.size() > max_bytes) return error("{}: more than {} bytes, expected at most {}", path, max_bytes, max_bytes);
  }
}

}  // namespace

Result<std::string> read_file(const std::string& path, size_t max_bytes) {
  OpenFile file = TRY(open_for_reading(path));
  if (!file.is_regular) return read_stream(file, path, max_bytes);
  if (file.size > max_bytes) return error("{}: {} bytes, expected at most {}", path, file.size, max_bytes);
  std::string text(file.size, '\0');
  size_t done = 0;
  while (done < text.size()) {
    ssize_t n = ::read(file.fd, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("cannot read", path);
    if (n == 0) return error("{}: ended after {} of {} bytes while it was read", path, done, file.size);
    done += static_cast<size_t>(n);
  }
  return text;
}

Result<std::shared_ptr<const MappedFile>> MappedFile::open(const std::string& path) {
  OpenFile file = TRY(open_for_reading(path));
  if (!file.is_regular) return error("{}: is not a regular file", path);
  const std::byte* data = nullptr;
  if (file.size > 0) {
    void* mapped = ::mmap(nullptr, file.size, PROT_READ, MAP_SHARED, file.fd, 0);
    if (mapped == MAP_FAILED) return system_error("cannot map", path);
    data = static_cast<const std::byte*>(mapped);
  }
  return std::shared_ptr<const MappedFile>(new MappedFile(path, data, file.size, std::exchange(file.fd, -1)));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
  ::close(fd_);
}

void MappedFile::read(std::byte* out, std::span<const std::byte> part) const {
  size_t done = 0;
  while (done < part.size()) {
    const auto offset = static_cast<off_t>(part.data() - data_ + static_cast<std::ptrdiff_t>(done));
    const ssize_t n = ::pread(fd_, out + done, part.size() - done, offset);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<size_t>(n);
  }
  // What cannot be read is left to the mapping, whose failure (SIGBUS) is that of any other use of it.
  std::memcpy(out + done, part.data() + done, part.size() - done);
}

Result<AtomicFile> AtomicFile::create(const std::string& path) {
  std::string partial = path + ".incomplete";
  int fd = ::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return system_error("cannot create", partial);
  return AtomicFile(path, std::move(partial), fd);
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      partial_path_(std::move(other.partial_path_)),
      fd_(std::exchange(other.fd_, -1)),
      n_written_(other.n_written_) {}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(partial_path_.c_str());
}

Status AtomicFile::write(std::span<const std::byte> bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    ssize_t n = ::write(fd_, bytes.data() + done, std::min(bytes.size() - done, kWriteChunk));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("cannot write", path_);
    done += static_cast<size_t>(n);
    n_written_ += static_cast<uint64_t>(n);
  }
  return {};
}

Status AtomicFile::write_at(uint64_t offset, std::span<const std::byte> bytes) {
  CHECK(offset + bytes.size() <= n_written_, "{} bytes at {} of {} written", bytes.size(), offset, n_written_);
  size_t done = 0;
  while (done < bytes.size()) {
    ssize_t n = ::pwrite(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("cannot write", path_);
    done += static_cast<size_t>(n);
  }
  return {};
}

Status AtomicFile::commit() {
  if (::fsync(fd_) != 0) return system_error("cannot sync", path_);
  int closed = ::close(std::exchange(fd_, -1));
  if (closed != 0 || ::rename(partial_path_.c_str(), path_.c_str()) != 0) {
    auto failure = system_error("cannot finish", path_);
    ::unlink(partial_path_.c_str());
    return failure;
  }
  std::string directory = std::filesystem::path(path_).parent_path().string();
  return sync_directory(directory.empty() ? "." : directory);
}

Status write_file(const std::string& path, std::string_view text) {
  AtomicFile file = TRY(AtomicFile::create(path));
  TRY(file.write(text));
  return file.commit();
}

Status sync_directory(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return system_error("cannot open directory", path);
  int result = ::fsync(fd);
  ::close(fd);
  // Some file systems have no fsync for directories (EINVAL); there is nothing more to do there.
  if (result != 0 && errno != EINVAL) return system_error("cannot sync directory", path);
  return {};
}

}  // namespace minke
