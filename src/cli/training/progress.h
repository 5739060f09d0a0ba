// What a person sees of a training run: one line on stderr that is redrawn, notes above it, and a line now and then where
// stderr is not a terminal.
#pragma once

#include <chrono>
#include <string>

#include "train/report/step_record.h"

namespace minke::cli {

class TrainingProgress {
 public:
  TrainingProgress(std::string name, int64_t first_tokens);
  ~TrainingProgress();
  TrainingProgress(const TrainingProgress&) = delete;
  TrainingProgress& operator=(const TrainingProgress&) = delete;

  // `cost`: so far, as text; may be empty.
  void step(const StepRecord& record, const std::string& cost);
  // Within a step.
  void within(int64_t tokens_done, int64_t tokens);
  void note(const std::string& line);

 private:
  using Clock = std::chrono::steady_clock;
  void draw(const std::string& line);
  void clear();
  std::string name_;
  int64_t first_tokens_;
  bool enabled_, drawn_ = false;
  std::string last_;  // of the last step
  Clock::time_point start_, last_draw_, last_line_;
};

}  // namespace minke::cli
