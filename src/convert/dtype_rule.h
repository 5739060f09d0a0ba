// Which dtype every tensor of an output gets.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "convert/layout.h"

namespace minke {

struct DTypeRule {
  bool from_gguf = false;
  ModelFormat format = ModelFormat::kGguf;
  std::optional<DType> dtype;  // none: keep
};

// Sets `dtype` of every tensor and returns the dtype of most of the matrices, which config.json and general.file_type name.
// What was asked for and cannot be done exactly so goes to the notes.
DType choose_dtypes(std::vector<TargetTensor>& targets, const DTypeRule& rule, std::vector<std::string>& notes);

}  // namespace minke
