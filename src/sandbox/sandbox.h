// Runs a program that nobody has read: what a model wrote. bubblewrap gives it namespaces of its own (users, processes,
// network, mounts, IPC, host name), a read-only system of /usr/bin and /usr/lib, and one writable folder, /tmp, that is memory
// and goes with it; a seccomp filter (seccomp_filter.h) refuses the system calls that a computation does not need; rlimits
// bound what is left. There is no /proc, no /etc, no network device that is up, no clock that can be set. Reading the clock and
// sleeping are allowed, the wall limit ends both. Linux 5.14 or newer: before it, limits on processes counted across user
// namespaces.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"

namespace minke {

struct SandboxLimits {
  int64_t wall_ms = 10'000;
  int64_t cpu_s = 10;                         // of each process
  int64_t memory_bytes = int64_t{512} << 20;  // of each process: address space
  int64_t n_processes = 8;                    // threads count too; 2 of them belong to the sandbox itself
  int64_t folder_bytes = int64_t{64} << 20;   // all that is in /tmp
  int64_t n_open_files = 64;
  int64_t output_bytes = int64_t{1} << 20;  // more than this ends the program
};

struct SandboxFile {
  std::string name;  // letters, digits, '.', '_', '-'; it lies in /tmp
  std::string text;
};

struct SandboxJob {
  std::vector<std::string> command = {};  // a program of /usr/bin by name or path, or /tmp/NAME; then its arguments
  std::string input = {};                 // its standard input
  std::vector<SandboxFile> files = {};
  SandboxLimits limits = {};
};

struct SandboxResult {
  int exit_code = -1;       // as a shell gives it: 128 + N after signal N; -1 when it was ended from outside
  bool timed_out = false;   // ended at the wall limit
  bool output_cut = false;  // ended because it wrote more than output_bytes; `output` is the start
  std::string output;       // standard output and error in the order of writing
  int64_t wall_ms = 0;
  int64_t peak_memory_bytes = 0;  // resident, of the largest process
};

struct SandboxPaths {
  std::string bwrap = "/usr/bin/bwrap";
};

class Sandbox {
 public:
  // Runs one harmless program to see whether this kernel allows it. An error says what is missing and what to do; there is no
  // way to run without the walls. From here on this process adopts the orphans among its descendants (child subreaper).
  static Result<Sandbox> open(const SandboxPaths& paths = {});

  // An error is a job that could not be started; whatever the program itself does is a result. Threads may call it at once.
  Result<SandboxResult> run(const SandboxJob& job) const;

 private:
  explicit Sandbox(SandboxPaths paths) : paths_(std::move(paths)) {}
  SandboxPaths paths_;
};

}  // namespace minke
