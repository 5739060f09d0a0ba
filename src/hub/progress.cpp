#include "hub/progress.h"

namespace minke::hub {
namespace {

constexpr double kWindowS = 1;
constexpr double kReportEveryS = 0.1;
constexpr double kSmoothing = 0.3;  // weight of the newest window in the rate

}  // namespace

void ProgressMeter::report(const std::string& file, uint64_t done, uint64_t total, uint64_t n_received) {
  std::lock_guard lock(mutex_);
  uint64_t& before = done_of_[file];
  done_ = done_ - before + done;
  before = done;
  window_bytes_ += n_received;
  Clock::time_point now = Clock::now();
  double window_s = std::chrono::duration<double>(now - window_start_).count();
  if (window_s >= kWindowS) {
    double rate = static_cast<double>(window_bytes_) / window_s;
    bytes_per_s_ = bytes_per_s_ == 0 ? rate : kSmoothing * rate + (1 - kSmoothing) * bytes_per_s_;
    window_start_ = now;
    window_bytes_ = 0;
  }
  if (done != total && std::chrono::duration<double>(now - last_report_).count() < kReportEveryS) return;
  last_report_ = now;
  sink_.on_progress({file, done, total, done_, total_, bytes_per_s_});
}

void ProgressMeter::note(const std::string& text) {
  std::lock_guard lock(mutex_);
  sink_.on_note(text);
}

}  // namespace minke::hub
