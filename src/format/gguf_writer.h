// Writing GGUF version 3.
#pragma once

#include <span>
#include <string>

#include "base/error.h"
#include "format/gguf.h"
#include "format/tensor_source.h"

namespace minke {

// Writes one file, seen under its name only when whole. Shapes are given in row-major order, as everywhere, and reversed in
// the file. The alignment is that of the key "general.alignment", else the default.
Status write_gguf(const std::string& path, const GgufMetadata& metadata, std::span<const TensorSource> sources);

// The same cut into `<prefix>-00001-of-0000N.gguf` parts of at most max_part_bytes of tensor data; the first has all the
// metadata. One file `<prefix>.gguf` when everything fits. No part is seen under its name before all are written.
Status write_gguf_parts(const std::string& prefix, const GgufMetadata& metadata, std::span<const TensorSource> sources,
                        uint64_t max_part_bytes);

}  // namespace minke
