#include "serve/disk/model_identity.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/digest.h"
#include "base/file.h"

namespace minke::serve {
namespace {

constexpr size_t kMaxConfigBytes = size_t{1} << 20;
constexpr size_t kHeadBytes = size_t{1} << 16;  // of a file
constexpr size_t kTensorBytes = size_t{1} << 12;
constexpr size_t kMaxTensors = 256;  // each may be a read from the disk

void add(Digest& digest, std::span<const std::byte> bytes, size_t n_most) {
  digest.update(bytes.first(std::min(bytes.size(), n_most)));
}

}  // namespace

Result<std::string> model_identity(const ModelFiles& files) {
  Digest digest = Digest::sha256();
  for (const auto& file : files.tensors.files()) {
    struct stat facts {};
    if (::stat(file->path().c_str(), &facts) != 0) return error("{}: {}", file->path(), std::strerror(errno));
    digest.update(fmt::format("file {} {} {}\n", facts.st_size, facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec));
    add(digest, file->bytes(), kHeadBytes);
  }
  if (!files.config.empty()) digest.update(TRY(read_file(files.config, kMaxConfigBytes)));
  const auto& entries = files.tensors.entries();
  const size_t step = entries.size() / kMaxTensors + 1;
  for (size_t i = 0; i < entries.size(); i += step) {
    const TensorView& view = entries[i].view;
    digest.update(fmt::format("tensor {} {} {}\n", entries[i].name, dtype_name(view.dtype), view.n_bytes()));
    add(digest, {view.data, view.n_bytes()}, kTensorBytes);
  }
  return digest.finish_hex();
}

}  // namespace minke::serve
