// A loaded model: weights and the one forward pass.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/arena.h"
#include "base/context.h"
#include "base/error.h"
#include "format/model_file.h"
#include "model/batch.h"
#include "model/blocks/step.h"
#include "model/config.h"
#include "model/loader.h"
#include "model/rope_table.h"
#include "model/training/adapter.h"
#include "model/weights.h"

namespace minke {

class Model {
 public:
  // A directory in the Hugging Face layout, a .safetensors file beside its config.json, or a GGUF file (any part of a set).
  // Weights stay where they are, in the mapped files, but for quantised ones when `options` say so. Every tensor of the
  // checkpoint must be known, of the expected shape and used; what is missing or left over is an error that names it.
  static Result<std::unique_ptr<Model>> load(const std::string& path, const LoadOptions& options = {});

  // A model of this configuration without files: whoever trains it points the rows of mutable_weights() at memory of their own
  // (train/parameters.h) before the first forward pass, and keeps it alive.
  static std::unique_ptr<Model> create(ModelConfig config);
  ModelWeights& mutable_weights() { return weights_; }

  const ModelConfig& config() const { return config_; }
  const ModelWeights& weights() const { return weights_; }
  const RopeFrequencies& rope() const { return rope_; }
  // Of a loaded model.
  const ModelFiles& files() const { return *files_; }
  // Null when all experts are in memory.
  const ExpertCache* experts() const { return experts_.get(); }

  // Runs the new tokens of every sequence and appends them to the sequences' caches.
  // logits [batch.logit_rows.size(), vocab_size]. Errors: a token outside the vocabulary, a sequence past max_seq_len, a full
  // cache; then nothing was appended. `sink` may be null. One call at a time per model: scratch memory is shared.
  Status forward(std::vector<float>& logits, const Batch& batch, KvCache& cache, const Context& context,
                 const ActivationSink* sink = nullptr);

  // Runs the first module of multi-token prediction; config().n_mtp_layers must be > 0. Row i of the batch stands at some
  // position p of its sequence: its token is the one at p + 1, hidden [n_tokens, hidden_size] holds the hidden state of p as
  // Batch::hidden gives it, and its logits predict the token at p + 2. The module's part of the cache is a layer of its own in
  // the same pages, so the batch's caches count the module's rows and share their page table with the main model's.
  Status forward_mtp(std::vector<float>& logits, const Batch& batch, std::span<const float> hidden, KvCache& cache,
                     const Context& context);

 private:
  Model() = default;
  Status check_batch(const Batch& batch) const;
  // Checks the batch, makes room in the cache and prepares what all blocks see; nothing is appended yet.
  Result<Step> begin_step(const Batch& batch, KvCache& cache, const Context& context, const ActivationSink* sink);

  ModelConfig config_;
  ModelWeights weights_;
  RopeFrequencies rope_;
  std::shared_ptr<const ModelFiles> files_;  // owns the mapped memory that the weights point into
  PackedMemory packed_;                      // and the packed weights
  AdapterSet adapters_;                      // and the adapters
  std::unique_ptr<ExpertCache> experts_;     // when they do not all fit into memory
  Arena arena_;
};

}  // namespace minke
