// Downloads a model from the hub into the cache (or a folder). Whole or resumable, checked, never half visible.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "hub/options.h"
#include "hub/progress.h"
#include "hub/reference.h"

namespace minke::hub {

struct PulledFile {
  std::string path;
  uint64_t size = 0;
  bool was_present = false;  // nothing of it was downloaded
};

struct PullResult {
  std::string path;  // folder in which the files are found by their names in the repository
  std::string commit;
  std::vector<PulledFile> files;
  uint64_t downloaded_bytes = 0;  // of files, over the network
  uint64_t reused_bytes = 0;      // of files, found on the disk
};

// Offline: no connection, the cache must have it all. `cancel` may be set from a signal handler or another thread; what has
// arrived is kept and resumed by the next pull.
Result<PullResult> pull(const ModelReference& reference, const HubOptions& options, ProgressSink& sink,
                        const std::atomic<bool>& cancel);

}  // namespace minke::hub
