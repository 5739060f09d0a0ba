// A folder held open. Everything a pull writes is named relative to such a handle, one part at a time and never through a
// symbolic link, so that no name and no link planted in the cache can lead a write elsewhere.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace minke::hub {

class Directory {
 public:
  // Opens, and makes it and its parents when they are not there. The path is the user's own: links in it are followed.
  static Result<Directory> create(const std::string& path);
  Directory(Directory&& other) noexcept;
  Directory& operator=(Directory&& other) noexcept;
  ~Directory();

  // A folder in this one, made when it is not there. A symbolic link is an error.
  Result<Directory> child(const std::string& name) const;
  // child() for each part of "a/b/c"; "" is this folder again.
  Result<Directory> descend(std::string_view relative) const;

  // Replaces a small file, seen whole or not at all.
  Status write_file(const std::string& name, std::string_view text) const;
  // Puts a symbolic link there, in place of a file or a link.
  Status link(const std::string& name, const std::string& target) const;
  Status rename(const std::string& from, const Directory& to_directory, const std::string& to) const;
  // No error when it is not there.
  Status remove_file(const std::string& name) const;
  Status sync() const;

  int fd() const { return fd_; }
  const std::string& path() const { return path_; }
  std::string path_of(std::string_view name) const { return fmt::format("{}/{}", path_, name); }

 private:
  Directory(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string path_;
  int fd_;
};

// "PATH: what: reason of errno", with what to do for the causes that a user can mend (full, read-only, not permitted).
tl::unexpected<Error> storage_error(const std::string& path, std::string_view what, int error_number);

}  // namespace minke::hub
