// How much one caller, and all together, may ask for at a time.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "server/model/api_error.h"

namespace minke::server {

// Generations that run or wait. A slot is given back when its last owner goes.
class GenerationSlots {
 public:
  GenerationSlots(int most, int most_per_caller) : most_(most), most_per_caller_(most_per_caller) {}
  // kOverloaded when all are taken, kRateLimited when this caller has its share.
  Outcome<std::shared_ptr<void>> take(const std::string& caller);

 private:
  void give_back(const std::string& caller);

  const int most_, most_per_caller_;
  std::mutex mutex_;  // of both
  int n_taken_ = 0;
  std::map<std::string, int> n_taken_by_;
};

// A bucket of requests for each caller: `burst` at once, refilled with per_minute. 0 per minute: no limit.
class RateLimit {
 public:
  RateLimit(double per_minute, double burst) : per_minute_(per_minute), burst_(burst) {}
  using Time = std::chrono::steady_clock::time_point;
  Outcome<void> take(const std::string& caller, Time now);

 private:
  struct Bucket {
    double level;
    Time filled;
  };
  const double per_minute_, burst_;
  std::mutex mutex_;  // of buckets_
  std::map<std::string, Bucket> buckets_;
};

}  // namespace minke::server
