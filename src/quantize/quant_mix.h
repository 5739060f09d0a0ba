// Named mixes of quant types: which dtype every tensor of a model gets when the model is quantised to "q4_k_m" and the like.
// The names mean what they mean in llama.cpp's quantize program, so that files are comparable; docs/formats.md has the table.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.h"
#include "model/config.h"
#include "model/weights.h"
#include "tensor/dtype.h"

namespace minke {

std::span<const std::string_view> mix_names();

// GGUF's general.file_type of a mix.
Result<uint32_t> mix_file_type(std::string_view mix);

struct MixChoice {
  DType wanted = DType::kF32;
  DType dtype = DType::kF32;  // differs where the rows are no whole number of wanted's blocks
};

// By the tensor's GGUF name and shape (last dimension: columns). An unknown mix is an error that names the known ones.
Result<MixChoice> choose_mix_dtype(std::string_view mix, const ModelConfig& config, std::string_view gguf_name,
                                   std::span<const int64_t> shape);
Result<DType> mix_dtype(std::string_view mix, const ModelConfig& config, const WeightRow& row);

// The dtype itself where n_cols are whole blocks, else the next one with short blocks and no less precision; f16 when
// nothing with blocks fits.
DType fitting_dtype(DType wanted, int64_t n_cols);

}  // namespace minke
