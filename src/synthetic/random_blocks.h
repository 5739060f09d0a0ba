// Random bytes that are valid weights of any dtype: codes uniform over what a quantiser gives, scales such that the values
// have the standard deviation asked for and a mean near zero. Layouts: docs/formats.md.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace minke {

class RandomBlocks {
 public:
  // Any float or quantised dtype but f64.
  RandomBlocks(DType dtype, double standard_deviation);

  // Blocks [first_block, first_block + n_blocks) of the tensor `key`: the same whatever range they are asked for in.
  void fill(std::byte* out, uint64_t key, int64_t first_block, int64_t n_blocks) const;

 private:
  void fill_plain(std::byte* out, uint64_t key, int64_t first, int64_t n) const;
  void fill_quantised(std::byte* out, uint64_t key, int64_t first_block, int64_t n_blocks) const;

  DType dtype_;
  double unit_;  // what scales are multiples of; for plain dtypes the standard deviation itself
};

}  // namespace minke
