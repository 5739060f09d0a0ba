#include "convert/merge.h"

#include <unordered_map>

#include "base/check.h"
#include "format/quote.h"

namespace minke {
namespace {

bool is_quantized(DType dtype) { return dtype_info(dtype).is_quantized || dtype == DType::kF8E4M3 || dtype == DType::kF8E5M2; }

}  // namespace

Status merge_adapters(std::vector<TargetTensor>& targets, const AdapterSet& adapters, const ModelConfig& config,
                      ModelFormat format, std::optional<DType> dtype) {
  std::unordered_map<std::string, TargetTensor*> by_name;
  for (TargetTensor& target : targets) by_name.emplace(target.name, &target);
  const bool is_gguf = format == ModelFormat::kGguf, is_float = dtype && !is_quantized(*dtype);
  ModelWeights unused;
  for (const WeightRow& row : weight_rows(config, unused, false)) {
    if (row.linear == nullptr) continue;
    const Adapter* adapter = adapters.find(module_of(row));
    if (adapter == nullptr) continue;
    auto found = by_name.find(is_gguf ? row.gguf_name : row.hf_name);
    CHECK(found != by_name.end() && found->second->pieces.size() == 1, "no matrix {}", row.name);
    TargetTensor& target = *found->second;
    if (is_quantized(target.source_dtype()) && !is_float) {
      return error("tensor {} is {}, which cannot hold the sum with an adapter; choose --dtype f32, bf16 or f16",
                   quote_name(target.name), dtype_name(target.source_dtype()));
    }
    target.pieces[0].adapter = adapter;
  }
  return {};
}

}  // namespace minke
