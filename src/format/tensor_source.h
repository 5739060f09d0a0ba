// Tensors to be written: what a file header needs to know, and a call that produces the bytes when their turn comes, so that
// a conversion never holds a model twice.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "tensor/tensor.h"

namespace minke {

using ByteSink = std::function<Status(std::span<const std::byte>)>;

struct TensorSource {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
  // Hands the tensor's bytes to the sink, in order, in as many calls as it likes; passes the sink's errors on.
  std::function<Status(const ByteSink& sink)> write;
};

// A source of bytes that exist already; they must outlive the write.
TensorSource tensor_source(std::string name, const TensorView& view);

// Appends the tensor to the file, which `path` names in errors; an error when the source produces more or fewer bytes than its
// shape and dtype demand.
Status write_tensor(AtomicFile& file, const std::string& path, const TensorSource& source);

// Bytes of all tensors; an error for an invalid shape or a name that appears twice.
Result<uint64_t> check_sources(std::span<const TensorSource> sources);

// Cuts the sources into runs of at most max_bytes each (a single larger tensor gets a run of its own); 0 is no limit.
// The sources must have passed check_sources.
std::vector<std::span<const TensorSource>> cut_sources(std::span<const TensorSource> sources, uint64_t max_bytes);

}  // namespace minke
