#include "cli/interrupt.h"

#include <unistd.h>

#include <csignal>

namespace minke::cli {
namespace {

// A signal handler has no argument to carry state in, so this is the one object with static storage that changes.
std::atomic<bool> was_interrupted{false};

void on_interrupt(int) {
  if (was_interrupted.exchange(true)) _exit(kInterruptedExit);
}

}  // namespace

std::atomic<bool>& interrupt_flag() {
  static const bool installed = [] {
    struct sigaction action {};
    action.sa_handler = on_interrupt;
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    return true;
  }();
  static_cast<void>(installed);
  return was_interrupted;
}

}  // namespace minke::cli
