// The metadata of a GGUF output.
#pragma once

#include <string>
#include <vector>

#include "convert/layout.h"
#include "format/gguf.h"
#include "quantize/importance.h"

namespace minke {

struct GgufKeyOptions {
  MlaLayout mla = MlaLayout::kSplit;
  uint32_t file_type = 0;
  bool is_rounded = false;                 // to a dtype that was asked for
  const Importance* importance = nullptr;  // that quantised matrices were searched with
};

// From config and tokenizer, or those of a GGUF input with what changes: the layout of MLA and, when is_rounded, the dtype.
Result<GgufMetadata> make_gguf_keys(const SourceModel& source, const GgufKeyOptions& options, std::vector<std::string>& notes);

// general.file_type of a file whose matrices are mostly of this dtype.
uint32_t gguf_file_type(DType dtype);

// GGUF's form of llama3's RoPE scaling, from a config that has it.
std::vector<float> rope_divisors_of(const ModelConfig& config);

}  // namespace minke
