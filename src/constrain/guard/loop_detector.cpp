#include "constrain/guard/loop_detector.h"

#include <algorithm>

#include "base/check.h"

namespace minke::constrain {

LoopDetector::LoopDetector(LoopLimits limits) : limits_(limits) {
  CHECK(limits.max_period >= 1 && limits.window > limits.max_period && limits.window > limits.n_gram && limits.n_gram >= 1);
  ring_.resize(static_cast<size_t>(limits.window), -1);
  hashes_.resize(static_cast<size_t>(limits.window), 0);
  same_.resize(static_cast<size_t>(limits.max_period) + 1, 0);
}

TokenId LoopDetector::back(int64_t distance) const {
  return ring_[static_cast<size_t>((n_tokens_ - distance) % limits_.window)];
}

LoopDetector::State LoopDetector::accept(TokenId token) {
  int64_t n_periods = std::min(limits_.max_period, n_tokens_);
  int64_t best_period = 0;
  double best = 0;  // of all periods: how much of a loop there is, 1 for all of it
  for (int64_t period = 1; period <= n_periods; period++) {
    int64_t& run = same_[static_cast<size_t>(period)];
    run = back(period) == token ? run + 1 : 0;
    int64_t needed = std::max(limits_.min_tokens - period, period * (limits_.min_repeats - 1));
    double share = static_cast<double>(run) / static_cast<double>(std::max<int64_t>(needed, 1));
    if (share > best) {
      best = share;
      best_period = period;
    }
  }
  ring_[static_cast<size_t>(n_tokens_ % limits_.window)] = token;
  n_tokens_++;
  Runs runs = count_n_gram();
  double of_runs = static_cast<double>(runs.n) / static_cast<double>(limits_.max_n_gram_repeats);
  period_ = best >= 0.5 ? best_period : of_runs >= 0.5 ? runs.distance : 0;
  best = std::max(best, of_runs);
  state_ = best >= 1 ? State::kLoop : best >= 0.5 ? State::kNearly : State::kNone;
  return state_;
}

// How often the last n_gram tokens stand in the window, and how far back they did before.
LoopDetector::Runs LoopDetector::count_n_gram() {
  auto at = static_cast<size_t>((n_tokens_ - 1) % limits_.window);
  if (n_tokens_ > limits_.window) {  // the place still has the oldest run, which leaves
    auto oldest = counts_.find(hashes_[at]);
    if (oldest != counts_.end() && --oldest->second.n == 0) counts_.erase(oldest);
  }
  hashes_[at] = 0;
  if (n_tokens_ < limits_.n_gram) return {};
  uint64_t hash = 1;
  for (int64_t i = limits_.n_gram; i >= 1; i--) {
    hash = (hash ^ static_cast<uint64_t>(static_cast<uint32_t>(back(i)))) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
  }
  hashes_[at] = hash;
  Count& count = counts_[hash];
  int64_t distance = count.n > 0 ? n_tokens_ - count.last : 0;
  count.last = n_tokens_;
  return {++count.n, distance};
}

std::optional<TokenId> LoopDetector::next_of_circle() const {
  if (period_ == 0) return std::nullopt;
  return back(period_);
}

}  // namespace minke::constrain
