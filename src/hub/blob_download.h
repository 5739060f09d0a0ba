// Brings one file into its place: resumes what an earlier run left, checks size and hash, and only then gives the file its
// final name. What is there under the final name is whole, always.
#pragma once

#include <cstdint>
#include <string>

#include "hub/cache/store.h"
#include "hub/cancel.h"
#include "hub/net/transport.h"
#include "hub/progress.h"

namespace minke::hub {

struct BlobJob {
  std::string repo;
  std::string commit;
  RemoteFile file;
  Place place;
};

struct BlobResult {
  uint64_t downloaded_bytes = 0;  // received over the network, those of failed tries too
  uint64_t reused_bytes = 0;      // of the file: found on the disk
};

// Takes the lock of the file for as long as it works.
Result<BlobResult> download_blob(Transport& transport, const BlobJob& job, const HubOptions& options, ProgressMeter& meter,
                                 const Cancel& cancel);

// How many bytes of the file are on the disk already, whole or as a partial file. For the disk space check.
uint64_t present_bytes(const BlobJob& job);

}  // namespace minke::hub
