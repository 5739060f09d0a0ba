// A loaded model: weights and the one forward pass.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/arena.h"
#include "base/context.h"
#include "base/error.h"
#include "format/model_file.h"
#include "model/batch.h"
#include "model/config.h"
#include "model/loader.h"
#include "model/rope_table.h"
#include "model/weights.h"

namespace minke {

class Model {
 public:
  // A directory in the Hugging Face layout, a .safetensors file beside its config.json, or a GGUF file (any part of a set).
  // Weights stay where they are, in the mapped files, but for quantised ones when `options` say so. Every tensor of the
  // checkpoint must be known, of the expected shape and used; what is missing or left over is an error that names it.
  static Result<std::unique_ptr<Model>> load(const std::string& path, const LoadOptions& options = {});

  const ModelConfig& config() const { return config_; }
  const ModelWeights& weights() const { return weights_; }
  const ModelFiles& files() const { return *files_; }

  // Runs the new tokens of every sequence and appends them to the sequences' caches.
  // logits [batch.logit_rows.size(), vocab_size]. Errors: a token outside the vocabulary, a sequence past max_seq_len, a full
  // cache; then nothing was appended. `sink` may be null. One call at a time per model: scratch memory is shared.
  Status forward(std::vector<float>& logits, const Batch& batch, KvCache& cache, const Context& context,
                 const ActivationSink* sink = nullptr);

 private:
  Model() = default;
  Status check_batch(const Batch& batch) const;

  ModelConfig config_;
  ModelWeights weights_;
  RopeFrequencies rope_;
  std::shared_ptr<const ModelFiles> files_;  // owns the mapped memory that the weights point into
  PackedMemory packed_;                      // and the packed weights
  Arena arena_;
};

}  // namespace minke
