#include "server/access/limits.h"

#include <algorithm>
#include <cmath>

namespace minke::server {

Outcome<std::shared_ptr<void>> GenerationSlots::take(const std::string& caller) {
  std::lock_guard lock(mutex_);
  if (n_taken_ >= most_)
    return tl::unexpected(ApiError{ErrorKind::kOverloaded,
                                   fmt::format("{} requests run or wait already, which is the limit: try again soon", n_taken_),
                                   {},
                                   "overloaded",
                                   1});
  int& mine = n_taken_by_[caller];
  if (mine >= most_per_caller_)
    return tl::unexpected(ApiError{ErrorKind::kRateLimited,
                                   fmt::format("{} requests of this key run or wait already, which is its limit", mine),
                                   {},
                                   "concurrency_limit_exceeded",
                                   1});
  ++mine;
  ++n_taken_;
  return std::shared_ptr<void>(nullptr, [this, caller](void*) { give_back(caller); });
}

void GenerationSlots::give_back(const std::string& caller) {
  std::lock_guard lock(mutex_);
  --n_taken_;
  const auto found = n_taken_by_.find(caller);
  if (--found->second == 0) n_taken_by_.erase(found);
}

Outcome<void> RateLimit::take(const std::string& caller, Time now) {
  if (per_minute_ <= 0) return {};
  std::lock_guard lock(mutex_);
  // Buckets that are full again are as good as none; without keys a caller is an address, and there may be many.
  constexpr size_t kMaxBuckets = 10'000;
  const auto level_at = [&](const Bucket& b) {
    return std::min(burst_, b.level + std::chrono::duration<double>(now - b.filled).count() * per_minute_ / 60);
  };
  if (buckets_.size() >= kMaxBuckets)
    std::erase_if(buckets_, [&](const auto& entry) { return level_at(entry.second) >= burst_; });
  Bucket& bucket = buckets_.try_emplace(caller, Bucket{burst_, now}).first->second;
  bucket = {level_at(bucket), now};
  if (bucket.level < 1) {
    const int wait = static_cast<int>(std::ceil((1 - bucket.level) * 60 / per_minute_));
    return tl::unexpected(ApiError{
        ErrorKind::kRateLimited, fmt::format("more than {} requests a minute", per_minute_), {}, "rate_limit_exceeded", wait});
  }
  bucket.level -= 1;
  return {};
}

}  // namespace minke::server
