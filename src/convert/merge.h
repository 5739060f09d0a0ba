// Adapters added to the weights they hang on, so that the output is a model like any other.
#pragma once

#include <optional>
#include <vector>

#include "convert/layout.h"
#include "model/training/adapter.h"

namespace minke {

// Hangs the adapters on the pieces of their matrices. A quantised weight cannot hold the sum: it is refused unless `dtype`,
// what was asked for, is a float type.
Status merge_adapters(std::vector<TargetTensor>& targets, const AdapterSet& adapters, const ModelConfig& config,
                      ModelFormat format, std::optional<DType> dtype);

}  // namespace minke
