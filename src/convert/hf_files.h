// The files beside the weights of a Hugging Face output: configuration, generation defaults, tokenizer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "convert/layout.h"

namespace minke {

struct SideFile {
  std::string name;
  std::string text;
};

// Whether a file of this name belongs to a model folder without being its weights.
bool is_side_file(std::string_view name);

// From a GGUF input: made from its metadata.
Result<std::vector<SideFile>> make_hf_files(const SourceModel& source, DType model_dtype, std::vector<std::string>& notes);

// From a Hugging Face input: copies; config.json with another dtype, and without FP8, when is_rounded.
Result<std::vector<SideFile>> copy_hf_files(const SourceModel& source, DType model_dtype, bool is_rounded);

}  // namespace minke
