// A file descriptor with an owner.
#pragma once

#include <string_view>
#include <utility>

#include "base/error.h"

namespace minke {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { close(); }
  void close();
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

struct Pipe {
  Descriptor read;
  Descriptor write;
};

Result<Pipe> make_pipe();

// A nameless file in memory that holds the text, at its start.
Result<Descriptor> file_of_text(std::string_view text);

}  // namespace minke
