#include "convert/quantize_rule.h"

#include <fnmatch.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "quantize/quant_mix.h"

namespace minke {
namespace {

constexpr std::string_view kWeightSuffix = ".weight";

// Norms, biases, routers and what is no number at all keep a type of their own.
bool is_matrix(const TargetTensor& target) {
  return target.shape.size() >= 2 && target.kind != WeightKind::kRouter && dtype_info(target.source_dtype()).is_float;
}

bool matches(const std::string& pattern, const std::string& name) {
  if (::fnmatch(pattern.c_str(), name.c_str(), 0) == 0) return true;
  if (!name.ends_with(kWeightSuffix)) return false;
  return ::fnmatch(pattern.c_str(), name.substr(0, name.size() - kWeightSuffix.size()).c_str(), 0) == 0;
}

// The first rule that matches, counted in `uses`; none: the mix decides.
const TensorTypeRule* find_rule(const QuantizeOptions& options, const std::string& name, std::vector<int>& uses) {
  const TensorTypeRule* first = nullptr;
  for (size_t i = 0; i < options.tensor_types.size(); i++) {
    if (!matches(options.tensor_types[i].pattern, name)) continue;
    uses[i]++;
    if (first == nullptr) first = &options.tensor_types[i];
  }
  return first;
}

Status check_rule(const TensorTypeRule& rule, const TargetTensor& target) {
  const DTypeInfo& info = dtype_info(rule.dtype);
  if (target.shape.back() % info.block_elements == 0) return {};
  return error(
      "tensor {}: {}={} does not fit: its rows have {} elements, no multiple of {}'s block of {}; choose a type with "
      "blocks of 32, or none",
      target.name, rule.pattern, info.name, target.shape.back(), info.name, info.block_elements);
}

Status check_source(const TargetTensor& target, const QuantizeOptions& options) {
  DType source = target.source_dtype();
  bool is_copied = target.dtype == source && !target.is_transposed();
  if (!dtype_info(source).is_quantized || is_copied || options.allow_requantize) return {};
  return error(
      "tensor {} is {} already: quantising it again to {} adds errors; start from f32, bf16 or f16, or say "
      "--allow-requantize",
      target.name, dtype_name(source), dtype_name(target.dtype));
}

// Wanted dtype, chosen dtype, row length -> tensors.
using Fallbacks = std::map<std::tuple<DType, DType, int64_t>, int>;

void note_fallbacks(const Fallbacks& fallbacks, std::vector<std::string>& notes) {
  for (const auto& [key, count] : fallbacks) {
    const auto& [wanted, dtype, n_cols] = key;
    notes.push_back(fmt::format("{} {} with rows of {}, no multiple of {}'s block of {}: {} instead", count,
                                count == 1 ? "tensor" : "tensors", n_cols, dtype_name(wanted),
                                dtype_info(wanted).block_elements, dtype_name(dtype)));
  }
}

}  // namespace

Status choose_quantized_dtypes(std::vector<TargetTensor>& targets, const ModelConfig& config, const QuantizeOptions& options,
                               std::vector<std::string>& notes) {
  std::vector<int> uses(options.tensor_types.size());
  Fallbacks fallbacks;
  for (TargetTensor& target : targets) {
    if (!dtype_info(target.source_dtype()).is_float) {
      target.dtype = target.source_dtype();
      continue;
    }
    const TensorTypeRule* rule = is_matrix(target) ? find_rule(options, target.name, uses) : nullptr;
    if (rule != nullptr) {
      TRY(check_rule(*rule, target));
      target.dtype = rule->dtype;
    } else {
      MixChoice choice = TRY(choose_mix_dtype(options.mix, config, target.name, target.shape));
      target.dtype = choice.dtype;
      if (choice.wanted != choice.dtype) fallbacks[{choice.wanted, choice.dtype, target.shape.back()}]++;
    }
    TRY(check_source(target, options));
  }
  for (size_t i = 0; i < uses.size(); i++) {
    if (uses[i] == 0)
      return error("--tensor-type {}: no matrix has such a name; minke show lists them", options.tensor_types[i].pattern);
  }
  note_fallbacks(fallbacks, notes);
  return {};
}

Result<std::vector<RowWeights>> find_row_weights(const std::vector<TargetTensor>& targets, const Importance& importance,
                                                 std::vector<std::string>& notes) {
  std::vector<RowWeights> weights;
  int n_missing = 0;
  std::string first_missing;
  for (const TargetTensor& target : targets) {
    bool is_searched = is_matrix(target) && dtype_info(target.dtype).is_quantized && target.dtype != DType::kQ8_0;
    if (!is_searched) {
      weights.emplace_back();
      continue;
    }
    weights.push_back(TRY(row_weights(importance, target.name, target.shape)));
    // Collectors leave out the embedding and the head.
    bool is_expected = target.kind != WeightKind::kEmbedding && target.kind != WeightKind::kLmHead;
    if (!weights.back().matrices.empty() || !is_expected) continue;
    if (n_missing++ == 0) first_missing = target.name;
  }
  if (n_missing > 0) {
    notes.push_back(fmt::format("{} quantised matrices have no importances ({}{}): their columns weigh alike", n_missing,
                                first_missing, n_missing > 1 ? " ..." : ""));
  }
  return weights;
}

}  // namespace minke
