// The commit that this program was built from, with "-dirty" when files were changed; "unknown" without git.
#pragma once

namespace minke::cli {

extern const char* const kCommit;

}  // namespace minke::cli
