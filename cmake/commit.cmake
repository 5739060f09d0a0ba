# Run at every build: writes OUTPUT with the commit that is built, and touches it only when that changed.
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12 --match=NeverMatch
  OUTPUT_VARIABLE MINKE_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT MINKE_COMMIT)
  set(MINKE_COMMIT "unknown")  # built from an archive
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT [[
#include "cli/commit.h"

namespace minke::cli {
const char* const kCommit = "@MINKE_COMMIT@";
}  // namespace minke::cli
]] @ONLY)
