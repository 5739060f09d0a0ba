// The folders of a run's checkpoints: RUN/step-000123. A folder has this name only when it is whole: it is filled as
// step-000123.incomplete and renamed after everything in it is on disk, and is renamed to step-000123.removed before it is
// deleted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace minke {

std::string checkpoint_name(int64_t step);  // "step-000123"

struct CheckpointFolder {
  int64_t step = 0;
  std::string path;
};

// Steps ascending. A run's folder that does not exist has none.
Result<std::vector<CheckpointFolder>> list_checkpoints(const std::string& run);

// A model's folder as it is, or the last checkpoint of a run's; an error where there is neither, or an adapter.
Result<std::string> model_folder(const std::string& model_or_run);

// Deletes what a killed process left behind.
Status remove_leftovers(const std::string& run);

// Renames a damaged checkpoint to step-000123.damaged, where it is neither found nor counted nor deleted. One that was set
// aside before is replaced.
Status set_aside(const CheckpointFolder& folder);

// A folder that is being filled; deleted when it is not committed.
class PartialCheckpoint {
 public:
  static Result<PartialCheckpoint> create(const std::string& run, int64_t step);
  PartialCheckpoint(PartialCheckpoint&& other) noexcept;
  PartialCheckpoint& operator=(PartialCheckpoint&&) = delete;
  ~PartialCheckpoint();

  const std::string& path() const { return partial_; }
  // Makes it visible, in the place of an older one of the same step. Returns its path.
  Result<std::string> commit();

 private:
  PartialCheckpoint(std::string run, std::string path, std::string partial)
      : run_(std::move(run)), path_(std::move(path)), partial_(std::move(partial)) {}
  std::string run_, path_, partial_;
  bool is_pending_ = true;
};

// What stays when new checkpoints come: the last ones, and the one with the lowest validation loss.
struct KeepRule {
  int64_t keep_last = 3;  // at least 1
  bool keep_best = true;
};
// Deletes the others; returns their steps.
Result<std::vector<int64_t>> prune_checkpoints(const std::string& run, const KeepRule& rule);

}  // namespace minke
