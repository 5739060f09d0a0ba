#include "kernels/cpu/dispatch.h"

#include "base/check.h"
#include "kernels/ref/ref.h"

namespace minke {

const KernelTable& kernels(Isa isa) {
  CHECK(isa != Isa::kRef, "the scalar definition has no kernel table");
  if (isa == Isa::kAvx2) return kAvx2Kernels;
  return isa == Isa::kAvx512 ? kAvx512Kernels : kAvx512VnniKernels;
}

const OptimizerTable& optimizer_kernels(Isa isa) {
  CHECK(isa != Isa::kRef, "the scalar definition has no table of optimizer loops");
  if (isa == Isa::kAvx2) return kAvx2Optimizer;
  return isa == Isa::kAvx512 ? kAvx512Optimizer : kAvx512VnniOptimizer;
}

const AttentionTable& attention_kernels(Isa isa) {
  switch (isa) {
    case Isa::kAvx2:
      return kAvx2Attention;
    case Isa::kAvx512:
      return kAvx512Attention;
    case Isa::kAvx512Vnni:
      return kAvx512VnniAttention;
    case Isa::kRef:
      break;
  }
  return ref::kAttention;
}

}  // namespace minke
