// What a repository holds: the commit behind a revision and the files of that commit with size and hash, from the hub's
// /api/models/{repo}/revision and /tree (several pages, joined by Link: rel="next").
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hub/net/retry.h"
#include "hub/net/transport.h"

namespace minke::hub {

struct RemoteFile {
  std::string path;
  uint64_t size = 0;
  std::string hash;  // SHA-256 of the content (LFS, Xet) or git blob SHA-1 (small files); also the name of the blob
};

// The commit that the revision stands for now. A commit is returned as it is, without a request.
Result<std::string> resolve_commit(Transport& transport, const std::string& repo, const std::string& revision, Retry& retry);

// All files, in the order of the hub. Every path is safe and every hash well-formed, or it is an error.
Result<std::vector<RemoteFile>> list_files(Transport& transport, const std::string& repo, const std::string& commit,
                                           Retry& retry);

// The address of rel="next" in a Link header (RFC 8288); "" when there is none.
std::string next_link(std::string_view link_header);

}  // namespace minke::hub
