// Repacking of quantised weights at load: from the mapped files into one piece of memory in the layout of the kernels, in
// parallel, in the order of the files. Pages of the files are given back as soon as they are packed, so that weights are never
// resident twice.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/context.h"
#include "base/error.h"
#include "kernels/weight.h"

namespace minke {

struct UnmapMemory {
  size_t n_bytes = 0;
  void operator()(std::byte* p) const;
};

// Anonymous memory in huge pages where the system has them.
class PackedMemory {
 public:
  static Result<PackedMemory> allocate(size_t n_bytes);
  PackedMemory() = default;
  std::byte* data() const { return memory_.get(); }

 private:
  std::unique_ptr<std::byte, UnmapMemory> memory_;
};

// Packs what can be packed among the weights, which point into mapped files, and points them to the result.
Result<PackedMemory> pack_weights(const std::vector<Weight*>& weights, const Context& context);

}  // namespace minke
