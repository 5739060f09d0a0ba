// The tensors of an output: names, shapes, and which pieces of the input's tensors they are made of.
#pragma once

#include <string>
#include <vector>

#include "convert/piece.h"
#include "model/arch/architecture.h"
#include "model/loader.h"

namespace minke {

// An opened model with every weight bound to its tensor.
struct SourceModel {
  ModelFiles files;
  ModelConfig config;
  std::vector<BoundRow> rows;

  bool is_gguf() const { return files.format == ModelFormat::kGguf; }
  const Architecture& architecture() const { return architecture_of(config); }
  // How the input holds the latent's up-projection; meaningless without MLA.
  MlaLayout mla() const;
};

Result<SourceModel> open_source(const std::string& path);
// As if the input had no layers of multi-token prediction.
void drop_mtp(SourceModel& source);

struct TargetTensor {
  std::string name;
  Shape shape;
  WeightKind kind = WeightKind::kLinear;
  std::vector<Piece> pieces;
  DType dtype = DType::kF32;  // chosen by dtype_rule.h

  bool is_transposed() const;
  // Of all pieces; f32 when they differ.
  DType source_dtype() const;
};

// Between the formats, and GGUF -> GGUF: by the rows of the weight table.
Result<std::vector<TargetTensor>> lay_out_rows(const SourceModel& source, ModelFormat format, MlaLayout mla);

// Hugging Face -> Hugging Face: every tensor of the files under its own name. FP8 weights keep their scales beside them, or
// have them applied.
Result<std::vector<TargetTensor>> lay_out_same(const SourceModel& source, bool apply_scales);

}  // namespace minke
