#include "kernels/cpu/dispatch.h"

#include "base/check.h"

namespace minke {

const KernelTable& kernels(Isa isa) {
  CHECK(isa != Isa::kRef, "the scalar definition has no kernel table");
  if (isa == Isa::kAvx2) return kAvx2Kernels;
  return isa == Isa::kAvx512 ? kAvx512Kernels : kAvx512VnniKernels;
}

}  // namespace minke
