// The system calls that a program in the sandbox is refused.
#pragma once

#include "base/error.h"
#include "sandbox/descriptor.h"

namespace minke {

// A file with the filter as the kernel's BPF, at its start.
Result<Descriptor> make_seccomp_filter();

}  // namespace minke
