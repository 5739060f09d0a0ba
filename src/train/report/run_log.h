// log.jsonl: one object per step, on disk as soon as the step is done.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "train/report/step_record.h"

namespace minke {

class RunLog {
 public:
  // Goes on after step `last_step` (0: from the start): what the file says of later steps is cut off, so that a step that is
  // done again after a crash does not stand there twice, and so is a line that was half written.
  static Result<RunLog> open(const std::string& path, int64_t last_step);
  RunLog(RunLog&& other) noexcept;
  RunLog& operator=(RunLog&&) = delete;
  ~RunLog();

  Status append(const StepRecord& record);

 private:
  RunLog(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string path_;
  int fd_;
};

// Whole lines of a log; a half-written last line is left out. Samples and reasons of skipped steps are not read.
Result<std::vector<StepRecord>> read_log(const std::string& path);

}  // namespace minke
