#include "convert/dtype_rule.h"

#include <algorithm>
#include <map>

namespace minke {
namespace {

// Norms, biases and routers: GGUF holds them as f32, whatever the matrices are.
bool is_small(const TargetTensor& target) {
  switch (target.kind) {
    case WeightKind::kNorm:
    case WeightKind::kBias:
    case WeightKind::kRouter:
    case WeightKind::kRouterBias:
      return true;
    default:
      return false;
  }
}

bool has_scales(const TargetTensor& target) { return target.pieces.front().weight.scales != nullptr; }

bool fits_columns(const TargetTensor& target, DType dtype) {
  return target.shape.back() % dtype_info(dtype).block_elements == 0;
}

// The dtype that loses nothing of a tensor, or as little as the format allows.
DType kept(const TargetTensor& target, ModelFormat format) {
  DType source = target.source_dtype();
  const DTypeInfo& info = dtype_info(source);
  if (info.is_quantized) {
    bool stays = format == ModelFormat::kGguf && !target.is_transposed();
    return stays ? source : DType::kF32;
  }
  if (source == DType::kF8E4M3 || source == DType::kF8E5M2) return DType::kBF16;
  return source == DType::kF64 ? DType::kF32 : source;
}

DType matrix_dtype(const TargetTensor& target, const DTypeRule& rule, int& n_not_blocked) {
  if (!rule.dtype) return kept(target, rule.format);
  if (fits_columns(target, *rule.dtype)) return *rule.dtype;
  n_not_blocked++;
  DType plain = kept(target, rule.format);
  return dtype_info(plain).is_quantized ? DType::kF32 : plain;
}

DType small_dtype(const TargetTensor& target, const DTypeRule& rule, DType model_dtype) {
  if (rule.format == ModelFormat::kGguf || target.kind == WeightKind::kRouterBias) return DType::kF32;
  if (rule.dtype) return *rule.dtype;
  // GGUF widened them; nothing is lost by narrowing what fits.
  bool fits = std::all_of(target.pieces.begin(), target.pieces.end(),
                          [&](const Piece& piece) { return is_exact_as(piece, model_dtype); });
  return fits ? model_dtype : DType::kF32;
}

DType most_frequent(const std::vector<TargetTensor>& targets) {
  std::map<DType, int64_t> counts;
  for (const TargetTensor& target : targets) {
    if (!is_small(target) && dtype_info(target.dtype).is_float) counts[target.dtype]++;
  }
  auto most = std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == counts.end() ? DType::kF32 : most->first;
}

// Nothing changes: not the layout, not the dtypes.
void keep_all(std::vector<TargetTensor>& targets) {
  for (TargetTensor& target : targets) {
    bool as_is = !target.is_transposed() && !has_scales(target);
    target.dtype = as_is ? target.source_dtype() : kept(target, ModelFormat::kGguf);
  }
}

void note_matrices(const std::vector<TargetTensor>& targets, const DTypeRule& rule, int n_not_blocked,
                   std::vector<std::string>& notes) {
  if (n_not_blocked > 0) {
    notes.push_back(fmt::format("{} matrices have rows that are no multiple of {}: kept without {}", n_not_blocked,
                                dtype_info(*rule.dtype).block_elements, dtype_name(*rule.dtype)));
  }
  if (rule.dtype) return;
  bool fp8 = false, quantized = false;
  for (const TargetTensor& target : targets) {
    fp8 = fp8 || (has_scales(target) && target.dtype == DType::kBF16);
    quantized = quantized || (dtype_info(target.source_dtype()).is_quantized && target.dtype == DType::kF32);
  }
  if (fp8) notes.push_back("FP8 weights are written as bf16, rounded: GGUF has no FP8; --dtype f32 loses nothing");
  if (quantized) notes.push_back("quantised matrices are written as f32, which loses nothing; --dtype bf16 is half as large");
}

}  // namespace

DType choose_dtypes(std::vector<TargetTensor>& targets, const DTypeRule& rule, std::vector<std::string>& notes) {
  bool same_format = rule.from_gguf == (rule.format == ModelFormat::kGguf);
  if (same_format && !rule.dtype) {
    keep_all(targets);
    return most_frequent(targets);
  }
  int n_not_blocked = 0;
  for (TargetTensor& target : targets) {
    bool is_float = dtype_info(target.source_dtype()).is_float;
    target.dtype = is_float ? matrix_dtype(target, rule, n_not_blocked) : target.source_dtype();
  }
  DType model_dtype = most_frequent(targets);
  for (TargetTensor& target : targets) {
    if (is_small(target) && dtype_info(target.source_dtype()).is_float) target.dtype = small_dtype(target, rule, model_dtype);
  }
  note_matrices(targets, rule, n_not_blocked, notes);
  return model_dtype;
}

}  // namespace minke
