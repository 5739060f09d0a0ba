// The metadata of a GGUF output.
#pragma once

#include <string>
#include <vector>

#include "convert/layout.h"
#include "format/gguf.h"

namespace minke {

// From config and tokenizer, or those of a GGUF input with what changes: the layout of MLA and, when is_rounded, the dtype.
Result<GgufMetadata> make_gguf_keys(const SourceModel& source, MlaLayout mla, DType model_dtype, bool is_rounded,
                                    std::vector<std::string>& notes);

// GGUF's form of llama3's RoPE scaling, from a config that has it.
std::vector<float> rope_divisors_of(const ModelConfig& config);

}  // namespace minke
