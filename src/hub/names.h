// Names that come from outside and become paths: repositories, revisions, files of a repository, commits, blobs.
// A name that could leave its directory, hide in a terminal or mean two things is refused (CVE-2024-37032 and its like).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace minke::hub {

// "org/name": ASCII letters, digits, '.', '_', '-'; no "--" (the separator of the cache's folder names), no "..".
Status check_repo(std::string_view repo);

// A branch, tag, "refs/pr/1" or commit.
Status check_revision(std::string_view revision);

// A path inside a repository: relative, '/'-separated, UTF-8, no ".", "..", empty part, backslash, colon or control byte.
Status check_file_path(std::string_view path);

// Two paths that one file system cannot hold side by side: equal but for ASCII case, or one a folder of the other.
Status check_no_collisions(std::span<const std::string> paths);

bool is_commit(std::string_view text);     // 40 lower-case hex digits
bool is_blob_name(std::string_view text);  // 40 (git blob SHA-1) or 64 (SHA-256) lower-case hex digits

// "org/name" <-> "models--org--name", the folder of the cache.
std::string repo_folder(std::string_view repo);
std::optional<std::string> repo_of_folder(std::string_view folder);

// Text from outside made fit for a one-line message: control bytes and invalid UTF-8 replaced, cut at max_bytes.
std::string printable(std::string_view text, size_t max_bytes = 200);

std::string ascii_lower(std::string_view text);
std::string ascii_upper(std::string_view text);

}  // namespace minke::hub
