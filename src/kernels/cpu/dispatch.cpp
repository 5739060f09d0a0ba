#include "kernels/cpu/dispatch.h"

#include "base/check.h"

namespace minke {

const KernelTable& kernels(Isa isa) {
  CHECK(isa != Isa::kRef, "the scalar definition has no kernel table");
  return isa == Isa::kAvx2 ? kAvx2Kernels : kAvx512Kernels;
}

}  // namespace minke
