// Which program this is.
#pragma once

namespace minke::cli {

constexpr const char* kProgramVersion = "0.1.0";

// The commit that it was built from, with "-dirty" when files were changed; "unknown" without git.
extern const char* const kCommit;

}  // namespace minke::cli
