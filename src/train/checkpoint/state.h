// state.json of a checkpoint: where a run stands, and the sizes and SHA-256 of the other files. It is the last file written,
// and holds a digest of itself, so that a checkpoint is whole or known not to be.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace minke {

constexpr std::string_view kStateFile = "state.json";
constexpr std::string_view kOptimizerFile = "optimizer.safetensors";
constexpr int64_t kCheckpointFormat = 1;

struct CheckpointState {
  int64_t step = 0;                            // steps done, skipped ones too
  int64_t tokens = 0;                          // seen
  int64_t optimizer_steps = 0;                 // taken: Optimizer::n_steps
  double flops = 0;                            // of the model, forward and backward, of all steps
  std::optional<double> validation_loss;       // of this very step
  std::optional<double> best_validation_loss;  // so far
  std::vector<double> grad_norms;              // SpikeGuard::norms
  std::string rng = "null";                    // JSON of whoever draws numbers
  std::string data_cursor = "null";            // JSON of the data's position
  std::string recipe_hash, parent;             // parent: the checkpoint or model that the run began from
};

struct FileDigest {
  std::string name;
  uint64_t n_bytes = 0;
  std::string sha256;
};

Result<FileDigest> digest_file(const std::string& folder, const std::string& name);

constexpr size_t kMaxStateBytes = size_t{64} << 20;

// The text of state.json; an error when a number is not finite or rng or data_cursor is no JSON.
Result<std::string> write_state(const CheckpointState& state, const std::vector<FileDigest>& files);

struct StateFile {
  CheckpointState state;
  std::vector<FileDigest> files;
};
// Errors name `where`, the key, and what was expected.
Result<StateFile> parse_state(std::string_view text, const std::string& where);

}  // namespace minke
