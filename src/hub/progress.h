// How a pull tells what it does: bytes per file and in all, the rate, and notes such as "retrying in 2 s".
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace minke::hub {

struct Progress {
  std::string file;
  uint64_t file_done = 0;
  uint64_t file_total = 0;
  uint64_t done = 0;  // of the whole pull; it can fall when a damaged file is started again
  uint64_t total = 0;
  double bytes_per_s = 0;  // received in the last seconds; bytes that were there already do not count
};

// Calls come one at a time, but from any thread.
class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  virtual void on_progress(const Progress&) {}
  virtual void on_note(const std::string&) {}
};

// Adds the files of a pull up, from any thread, and passes on at most ten reports a second (and each end of a file).
class ProgressMeter {
 public:
  ProgressMeter(ProgressSink& sink, uint64_t total) : sink_(sink), total_(total), window_start_(Clock::now()) {}

  // The file has `done` of `total` bytes; n_received of them came over the network since the last call.
  void report(const std::string& file, uint64_t done, uint64_t total, uint64_t n_received);
  void note(const std::string& text);

 private:
  using Clock = std::chrono::steady_clock;
  ProgressSink& sink_;
  uint64_t total_;
  std::mutex mutex_;
  std::map<std::string, uint64_t> done_of_;
  uint64_t done_ = 0;
  uint64_t window_bytes_ = 0;
  Clock::time_point window_start_;
  Clock::time_point last_report_;
  double bytes_per_s_ = 0;
};

}  // namespace minke::hub
