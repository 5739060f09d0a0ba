// Repacking of quantised and bf16 weights at load: from the files into one piece of memory in the layout of the kernels, in
// parallel, in the order of the files, through a small buffer for each thread, so that weights are never resident twice.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/context.h"
#include "base/error.h"
#include "base/file.h"
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

using MappedFiles = std::vector<std::shared_ptr<const MappedFile>>;

// Brings rows of a weight of the files to `out`: packed for the instruction set if `pack`, else as they are.
class RowReader {
 public:
  explicit RowReader(const MappedFiles& files) : files_(files) {}
  void read(std::byte* out, const Weight& weight, int64_t first_row, int64_t n_rows, bool pack, Isa isa);

 private:
  void copy(std::byte* out, std::span<const std::byte> part) const;
  const MappedFiles& files_;
  std::vector<std::byte> buffer_;
};

// Packs what can be packed among the weights, which point into the files, and points them to the result.
Result<PackedMemory> pack_weights(const std::vector<Weight*>& weights, const MappedFiles& files, const Context& context);

}  // namespace minke
