// From checkpoint files to ModelWeights, by the rows of the weight table.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "format/model_file.h"
#include "model/packer.h"
#include "model/weights.h"

namespace minke {

// Names of tensors that are not rows of the table: scales of an FP8 weight (after its name), GGUF's frequency divisors.
constexpr std::string_view kScaleSuffix = "_scale_inv";
constexpr std::string_view kRopeFreqs = "rope_freqs.weight";

struct LoadedWeights {
  ModelConfig config;
  std::vector<float> rope_divisors;         // GGUF's rope_freqs tensor
  uint64_t expert_bytes = 0;                // memory for experts; 0: they are with the other weights
  PackedMemory packed;                      // and the packed ones
  std::shared_ptr<const ModelFiles> files;  // owns the memory that the weights point into
};

// The config of opened model files: config.json or GGUF metadata. n_mtp_layers is 0 when they hold none of those layers.
Result<ModelConfig> read_model_config(const ModelFiles& files);

// Finds the tensor of every row in the files, whichever layout they have. A slice of a stacked expert tensor is not cut
// yet: `expert` of the row says which one it is.
struct BoundRow {
  WeightRow row;
  const TensorView* tensor = nullptr;
  const TensorView* scales = nullptr;  // F8 block scales
  std::string file_name;               // of the tensor, in the files' own naming
};
// Binds every row; an error lists what is missing, what has another shape, and what nobody asked for.
Result<std::vector<BoundRow>> bind_weights(const ModelFiles& files, const ModelConfig& config, ModelWeights& weights);

struct LoadOptions {
  // Packs quantised and bf16 weights for the instruction set and with the threads of this context: fast products of integers
  // and of bf16. Null: all weights stay in the mapped files as they are and are decoded to f32 when they are used.
  const Context* pack = nullptr;
  // Most bytes of weights in memory; 0: all of them. What does not fit must be experts: they stay in the files and come into
  // memory when they are wanted (ExpertCache). An error when the rest alone is larger.
  uint64_t memory_bytes = 0;
  // False: not the layers of multi-token prediction, which nothing but speculation with them reads. They are checked as all
  // tensors are, take no memory, and the config says that there are none.
  bool mtp = true;
  // The folder of an adapter (model/training/adapter.h) that the model runs with; empty: none.
  std::string adapter = {};
};
Result<LoadedWeights> load_weights(const std::string& path, ModelWeights& weights, const LoadOptions& options = {});

}  // namespace minke
