#include "sandbox/descriptor.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace minke {

void Descriptor::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Result<Pipe> make_pipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return error("sandbox: a pipe cannot be made: {}", std::strerror(errno));
  return Pipe{Descriptor(fds[0]), Descriptor(fds[1])};
}

Result<Descriptor> file_of_text(std::string_view text) {
  Descriptor file(memfd_create("minke", MFD_CLOEXEC));
  if (file.get() < 0) return error("sandbox: a file in memory cannot be made: {}", std::strerror(errno));
  while (!text.empty()) {
    ssize_t n = write(file.get(), text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return error("sandbox: a file in memory cannot be written: {}", std::strerror(errno));
    text.remove_prefix(static_cast<size_t>(n));
  }
  lseek(file.get(), 0, SEEK_SET);
  return file;
}

}  // namespace minke
