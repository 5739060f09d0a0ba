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

PackedFn packed_kernel(DType dtype, Isa isa) {
  if (dtype == DType::kBF16 && isa >= Isa::kAvx512Bf16) return kAvx512Bf16Unit.multiply;
  const PackedTable& table = isa == Isa::kAmx ? kAmxUnit.packed : kernels(isa).packed;
  switch (dtype) {
    case DType::kQ4_0:
      return table.q4_0;
    case DType::kQ4_1:
      return table.q4_1;
    case DType::kQ5_0:
      return table.q5_0;
    case DType::kQ5_1:
      return table.q5_1;
    case DType::kQ8_0:
      return table.q8_0;
    case DType::kQ2_K:
      return table.q2_k;
    case DType::kQ3_K:
      return table.q3_k;
    case DType::kQ4_K:
      return table.q4_k;
    case DType::kQ5_K:
      return table.q5_k;
    case DType::kQ6_K:
      return table.q6_k;
    case DType::kIQ4_NL:
      return table.iq4_nl;
    case DType::kIQ4_XS:
      return table.iq4_xs;
    case DType::kBF16:
      return table.bf16;
    default:
      CHECK(false, "{} has no packed form", dtype_name(dtype));
  }
}

const AttentionTable& attention_kernels(Isa isa) {
  switch (isa) {
    case Isa::kAvx2:
      return kAvx2Attention;
    case Isa::kAvx512:
      return kAvx512Attention;
    case Isa::kAvx512Vnni:
    case Isa::kAvx512Bf16:
    case Isa::kAmx:
      return kAvx512VnniAttention;
    case Isa::kRef:
      break;
  }
  return ref::kAttention;
}

}  // namespace minke
