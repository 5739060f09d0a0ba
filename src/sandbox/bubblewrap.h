// The command line of bubblewrap for a job: what the program sees and what bounds it.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "sandbox/descriptor.h"
#include "sandbox/sandbox.h"

namespace minke {

struct BubblewrapCommand {
  std::vector<std::string> arguments;  // arguments[0] is bwrap
  std::vector<Descriptor> files;       // that bwrap reads: the filter and the job's files
};

// bwrap writes how it went to status_fd. Refuses programs that the sandbox does not have and names that are no plain names.
Result<BubblewrapCommand> bubblewrap_command(const SandboxPaths& paths, const SandboxJob& job, int status_fd);

}  // namespace minke
