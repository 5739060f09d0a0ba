// Ctrl-C and SIGTERM: the first one asks the running work to end in order, the second one ends the process at once.
#pragma once

#include <atomic>

namespace minke::cli {

// Installs the handler (once) and returns the flag that it sets. Long work checks the flag at its own pace.
std::atomic<bool>& interrupt_flag();

constexpr int kInterruptedExit = 130;

}  // namespace minke::cli
