// The models that are on this machine: list them, find one to load, remove one. No network.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <vector>

#include "base/error.h"
#include "hub/options.h"
#include "hub/reference.h"

namespace minke::hub {

struct CachedFile {
  std::string path;  // in the repository
  std::string blob;  // name of the blob that it links to; "" for a file that is no such link
  uint64_t size = 0;
  bool is_present = false;  // false: a link to a blob that is gone
};

struct CachedRevision {
  std::string commit;
  std::string path;               // of the snapshot
  std::vector<std::string> refs;  // "main", ...
  std::vector<CachedFile> files;  // by path
};

struct CachedModel {
  std::string repo;
  std::string path;
  std::vector<CachedRevision> revisions;
  std::string format;               // "safetensors", "gguf", both joined by '+', or "other": what the names say
  std::vector<std::string> quants;  // of GGUF files
  uint64_t size_bytes = 0;          // on disk, a blob that two revisions share counted once
  uint64_t partial_bytes = 0;       // of downloads that were not finished
  std::time_t last_used = 0;        // newest access of a blob, as far as the file system keeps it
};

// Sorted by name. A cache that is not there is empty; folders that are no models are passed over.
Result<std::vector<CachedModel>> list_cached(const HubOptions& options);

// The revision in the cache that a reference means.
Result<CachedRevision> find_cached(const ModelReference& reference, const HubOptions& options);

// The files of the revision that a reference means, checked to be complete.
struct ResolvedModel {
  std::string path;  // the snapshot folder (safetensors), or the GGUF file (its first part)
  std::vector<CachedFile> files;
};
Result<ResolvedModel> resolve_in(const CachedRevision& revision, const ModelReference& reference);

// find_cached() and resolve_in(): what to load for `org/name[:QUANT]`. The error says which file is missing and how to get it.
Result<std::string> resolve_cached(const ModelReference& reference, const HubOptions& options);

struct Removed {
  size_t n_files = 0;  // links and files of snapshots
  size_t n_blobs = 0;
  uint64_t freed_bytes = 0;
};

// Removes a whole model, one revision ("@rev"), or one quantisation or file of it. Blobs that another revision or file uses
// stay. An error while a pull of the model is under way.
Result<Removed> remove_cached(const ModelReference& reference, const HubOptions& options);

}  // namespace minke::hub
