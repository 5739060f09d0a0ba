#include "quantize/quantize_row.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "kernels/convert.h"
#include "quantize/pack.h"
#include "quantize/search.h"

namespace minke {
namespace {

// Of the mean weight: far below what any scale would notice, far above zero.
constexpr float kLeastWeight = 1e-4f;

const SearchTable& searches(Isa isa) {
  if (isa == Isa::kRef) return kBaselineSearch;
  return isa == Isa::kAvx2 ? kAvx2Search : kAvx512Search;
}

template <typename Block>
bool quantize_blocks(std::byte* out, DType dtype, const float* row, const float* weights, int64_t n, SearchFn<Block> search,
                     void (*pack)(std::byte*, const Block&)) {
  const DTypeInfo& info = dtype_info(dtype);
  float ones[kSuperBlock];
  std::fill(std::begin(ones), std::end(ones), 1.0f);
  bool fits = true;
  for (int64_t i = 0; i < n; i += info.block_elements, out += info.block_bytes) {
    Block block = {};
    fits = search(block, row + i, weights == nullptr ? ones : weights + i) && fits;
    pack(out, block);
  }
  return fits;
}

bool quantize_plain(std::byte* out, DType dtype, const float* row, int64_t n) {
  const float limit = overflow_limit(dtype);
  const bool fits = std::all_of(row, row + n, [limit](float value) { return std::abs(value) < limit; });
  quantize_row(out, dtype, row, n);
  return fits;
}

bool quantize_finite(std::byte* out, DType dtype, const float* row, const float* weights, int64_t n,
                     const SearchTable& search) {
  auto blocks = [&](auto fn, auto pack) { return quantize_blocks(out, dtype, row, weights, n, fn, pack); };
  switch (dtype) {
    case DType::kQ4_0:
      return blocks(search.q4_0, pack_q4_0);
    case DType::kQ5_0:
      return blocks(search.q5_0, pack_q5_0);
    case DType::kIQ4_NL:
      return blocks(search.iq4_nl, pack_q4_0);
    case DType::kQ4_1:
      return blocks(search.q4_1, pack_q4_1);
    case DType::kQ5_1:
      return blocks(search.q5_1, pack_q5_1);
    case DType::kQ2_K:
      return blocks(search.q2_k, pack_q2_k);
    case DType::kQ3_K:
      return blocks(search.q3_k, pack_q3_k);
    case DType::kQ4_K:
      return blocks(search.q4_k, pack_q4_k);
    case DType::kQ5_K:
      return blocks(search.q5_k, pack_q5_k);
    case DType::kQ6_K:
      return blocks(search.q6_k, pack_q6_k);
    case DType::kIQ4_XS:
      return blocks(search.iq4_xs, pack_iq4_xs);
    default:
      return quantize_plain(out, dtype, row, n);
  }
}

}  // namespace

float overflow_limit(DType dtype) {
  switch (dtype) {
    case DType::kF16:
      return 65520.0f;
    case DType::kQ8_0:
      return 65520.0f * 127.0f;
    case DType::kBF16:
      return 0x1.FFp127f;
    default:
      return INFINITY;
  }
}

std::vector<float> column_weights(const float* importance, int64_t n) {
  double sum = 0;
  auto usable = [](float value) { return std::isfinite(value) && value > 0; };
  for (int64_t i = 0; i < n; i++) sum += usable(importance[i]) ? importance[i] : 0.0;
  if (sum <= 0) return {};
  const double scale = static_cast<double>(n) / sum;
  std::vector<float> weights(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; i++) {
    const double relative = usable(importance[i]) ? importance[i] * scale : 0.0;
    weights[static_cast<size_t>(i)] = std::max(static_cast<float>(relative), kLeastWeight);
  }
  return weights;
}

QuantizeFault quantize_weighted_row(std::byte* out, DType dtype, const float* row, const float* weights, int64_t n, Isa isa) {
  CHECK(n >= 0 && n % dtype_info(dtype).block_elements == 0, "{} elements of {}", n, dtype_name(dtype));
  if (!std::all_of(row, row + n, [](float value) { return std::isfinite(value); })) return QuantizeFault::kNotFinite;
  return quantize_finite(out, dtype, row, weights, n, searches(isa)) ? QuantizeFault::kNone : QuantizeFault::kTooLarge;
}

}  // namespace minke
