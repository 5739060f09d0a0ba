// Files: whole reads with a bound, read-only mappings, and writes that are seen under their final name only when whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace minke {

// The whole file, or all that a pipe gives; an error if it is missing, a directory, or larger than max_bytes.
Result<std::string> read_file(const std::string& path, size_t max_bytes);

// A read-only mapping of a whole file; closed with the last owner. An empty file is an empty span.
class MappedFile {
 public:
  static Result<std::shared_ptr<const MappedFile>> open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }
  // Copies a part of bytes() without mapping its pages: for data that is read once, faster than through the mapping, and it
  // does not count as memory of this process.
  void read(std::byte* out, std::span<const std::byte> part) const;

 private:
  MappedFile(std::string path, const std::byte* data, size_t size, int fd)
      : path_(std::move(path)), data_(data), size_(size), fd_(fd) {}
  std::string path_;
  const std::byte* data_;
  size_t size_;
  int fd_;
};

// Writes to "<path>.incomplete" and renames on commit() after fsync of file and directory. Without commit() the partial
// file is removed: a reader sees the old file or the new one, never a part.
class AtomicFile {
 public:
  static Result<AtomicFile> create(const std::string& path);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  Status write(std::span<const std::byte> bytes);
  Status write(std::string_view text) { return write(std::as_bytes(std::span(text))); }
  // Overwrites bytes that are written already, for a header that is known last; both ends within n_written().
  Status write_at(uint64_t offset, std::span<const std::byte> bytes);
  uint64_t n_written() const { return n_written_; }
  // Makes the file visible under its name; may be called once.
  Status commit();

 private:
  AtomicFile(std::string path, std::string partial_path, int fd)
      : path_(std::move(path)), partial_path_(std::move(partial_path)), fd_(fd) {}
  std::string path_;
  std::string partial_path_;
  int fd_;
  uint64_t n_written_ = 0;
};

// AtomicFile in one call.
Status write_file(const std::string& path, std::string_view text);

// fsync of a directory, so that a rename in it survives a power cut.
Status sync_directory(const std::string& path);

}  // namespace minke
