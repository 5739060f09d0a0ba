// A checkpoint is a folder that is a model in the Hugging Face layout (model.safetensors, config.json, tokenizer files), or an
// adapter in PEFT's (adapter_model.safetensors, adapter_config.json), and also holds what training needs to go on to the bit:
// optimizer.safetensors (moments, f32 masters) and state.json.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "format/safetensors.h"
#include "model/config.h"
#include "train/checkpoint/folders.h"
#include "train/checkpoint/state.h"
#include "train/optimizer/optimizer.h"
#include "train/parameters.h"

namespace minke {

// A file that lies beside the weights: tokenizer.json and its like.
struct CheckpointFile {
  std::string name, text;
};

struct CheckpointSources {
  const ModelConfig& config;
  const ParameterStore& parameters;
  const Optimizer& optimizer;
  std::span<const CheckpointFile> files;  // beside config.json, which is made here
  // The text of adapter_config.json when the parameters are those of an adapter (model/training/adapter.h); empty: of a model.
  std::string adapter_config = {};
};

// Bytes that a checkpoint takes, within some kilobytes.
uint64_t checkpoint_bytes(const CheckpointSources& sources);

// Writes RUN/step-000123 and returns its path. Everything is on disk when it returns. On an error (a full disk: the message
// says how much is needed) nothing of it is left and older checkpoints are as they were.
Result<std::string> write_checkpoint(const std::string& run, const CheckpointState& state, const CheckpointSources& sources);

struct Checkpoint {
  std::string path;
  CheckpointState state;
  std::string weights_file;  // the name of the file of `model`
  TensorMap model, optimizer;
};

// Refuses a checkpoint with a file that is missing or has another size or SHA-256 than when it was written.
Result<Checkpoint> open_checkpoint(const std::string& path);

// What to do when the latest checkpoint is damaged: refuse, or take the one before it (and so on). Those that are passed over
// are set aside: otherwise they would be the latest again, and would be kept in the place of good ones.
enum class IfDamaged { kRefuse, kTakePrevious };
Result<Checkpoint> open_latest_checkpoint(const std::string& run, IfDamaged if_damaged);

// Copies all numbers. Every tensor must be there with the very dtype and shape, and none may be left over. Only an error that
// is found before anything is copied leaves the parameters as they were.
Status restore_checkpoint(const Checkpoint& checkpoint, ParameterStore& parameters, Optimizer& optimizer);

}  // namespace minke
