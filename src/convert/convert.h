// Conversion between the Hugging Face layout and GGUF, in both directions and within each: names, layout, dtype, tokenizer,
// configuration. The output is seen under its name only when whole. What each format holds is in docs/formats.md.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/context.h"
#include "base/error.h"
#include "convert/piece.h"
#include "format/model_file.h"
#include "model/arch/architecture.h"
#include "quantize/importance.h"
#include "tensor/dtype.h"

namespace minke {

struct TensorTypeRule {
  std::string pattern;  // a shell pattern on the GGUF name, which may leave ".weight" out
  DType dtype = DType::kF32;
};

// Quantising with searched scales (quantize/quantize_row.h) into GGUF.
struct QuantizeOptions {
  std::string mix;                           // of quantize/quant_mix.h
  std::vector<TensorTypeRule> tensor_types;  // for matrices, before the mix; the first match counts
  bool allow_requantize = false;             // from types that are quantised already
  const Importance* importance = nullptr;    // null: all columns weigh alike
};

struct ConvertOptions {
  std::optional<ModelFormat> format;        // of the output; none: GGUF when its name ends in .gguf
  std::optional<DType> dtype;               // f32, bf16, f16, and q8_0 for GGUF; none: keep every tensor's own
  std::optional<MlaLayout> mla;             // none: split, and for GGUF -> GGUF as it is
  bool mtp = true;                          // false: without the layers of multi-token prediction, for GGUF
  std::optional<uint64_t> max_shard_bytes;  // none: 5 GB for Hugging Face, one file for GGUF; 0: one file
  std::optional<QuantizeOptions> quantize;  // excludes dtype
  std::string lora;                         // the folder of an adapter that is added to the weights; empty: none
  bool overwrite = false;
  bool dry_run = false;  // report what would be written
  Context context;
  // Called between pieces of work with bytes of tensor data; false stops the conversion, which then leaves nothing behind.
  std::function<bool(uint64_t done, uint64_t total)> progress;
};

// All tensors of one dtype.
struct DTypeTotal {
  DType dtype = DType::kF32;
  uint64_t n_tensors = 0, n_bytes = 0;
  ErrorSums errors;  // of those that were quantised
};

struct ConvertReport {
  ModelFormat from = ModelFormat::kSafetensors, to = ModelFormat::kGguf;
  std::string architecture;
  std::vector<std::pair<std::string, uint64_t>> files;         // path and bytes
  std::vector<std::pair<std::string, uint64_t>> dtype_counts;  // tensors of each dtype
  std::vector<DTypeTotal> dtypes;                              // the same with sizes, most bytes first
  uint64_t n_tensors = 0;
  uint64_t n_bytes = 0;            // of all files; of the tensors in a dry run
  bool stopped = false;            // progress said so; nothing was written
  std::vector<std::string> notes;  // what the output does not have, or has differently; one line each
};

Result<ConvertReport> convert_model(const std::string& input, const std::string& output, const ConvertOptions& options = {});

}  // namespace minke
