#include "hub/net/retry.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

namespace minke::hub {

Status Retry::wait(const Failure& failure) {
  if (n_retries_ >= policy_.max_retries) {
    return error("{} (given up after {} tries; what has arrived is kept, the same command goes on from there)", failure.message,
                 n_retries_ + 1);
  }
  double wait_s = std::min(policy_.first_wait_s * std::exp2(n_retries_), policy_.max_wait_s);
  if (failure.retry_after_s > policy_.max_server_wait_s) {
    return error("{}; the server asks to wait {:.0f} s: try again then", failure.message, failure.retry_after_s);
  }
  wait_s = std::max(wait_s, failure.retry_after_s);
  n_retries_++;
  note_(fmt::format("{}; trying again in {:.0f} s ({} of {})", failure.message, wait_s, n_retries_, policy_.max_retries));
  auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(wait_s);
  while (std::chrono::steady_clock::now() < until) {
    if (cancel_.is_set()) return error("cancelled");
    auto left = std::chrono::duration<double>(until - std::chrono::steady_clock::now());
    std::this_thread::sleep_for(std::min(left, std::chrono::duration<double>(0.05)));
  }
  return {};
}

}  // namespace minke::hub
