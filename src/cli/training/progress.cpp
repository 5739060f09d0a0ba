#include "cli/training/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cli/language.h"
#include "cli/terminal.h"

namespace minke::cli {

TrainingProgress::TrainingProgress(std::string name, int64_t first_tokens)
    : name_(std::move(name)),
      first_tokens_(first_tokens),
      enabled_(is_terminal(STDERR_FILENO)),
      start_(Clock::now()),
      last_draw_(start_),
      last_line_(start_) {}

TrainingProgress::~TrainingProgress() { clear(); }

void TrainingProgress::clear() {
  if (drawn_) std::fputs("\r\x1b[K", stderr);
  drawn_ = false;
}

void TrainingProgress::draw(const std::string& line) {
  if (!enabled_) return;
  fmt::print(stderr, "\r\x1b[K{}", line.substr(0, static_cast<size_t>(std::max(terminal_width() - 1, 20))));
  std::fflush(stderr);
  drawn_ = true;
}

void TrainingProgress::note(const std::string& line) {
  clear();
  fmt::print(stderr, "{}\n", line);
}

void TrainingProgress::step(const StepRecord& record, const std::string& cost) {
  const Clock::time_point now = Clock::now();
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  const double rate = static_cast<double>(record.tokens - first_tokens_) / elapsed;
  std::string line = fmt::format("{} {} {}  loss {:.4f}  {}/{}  {} tok/s", name_, tr("step", "단계"), record.step, record.loss,
                                 count_text(record.tokens), count_text(record.total_tokens),
                                 count_text(static_cast<int64_t>(record.tokens_per_s)));
  if (record.mfu > 0) line += fmt::format("  MFU {:.0f} %", 100 * record.mfu);
  if (record.validation_loss) line += fmt::format("  {} {:.4f}", tr("validation", "검증"), *record.validation_loss);
  if (rate > 0 && record.total_tokens > record.tokens) {
    line += fmt::format("  {} {}", seconds_text(static_cast<double>(record.total_tokens - record.tokens) / rate),
                        tr("left", "남음"));
  }
  if (!cost.empty()) line += "  " + cost;
  last_ = line;
  if (enabled_) {
    if (record.validation_loss) return note(line);
    if (now - last_draw_ < std::chrono::milliseconds(100)) return;
    last_draw_ = now;
    return draw(line);
  }
  // A log file wants a line now and then, not one for every step.
  const bool is_last = record.tokens >= record.total_tokens;
  if (!is_last && !record.validation_loss && now - last_line_ < std::chrono::seconds(30)) return;
  last_line_ = now;
  fmt::print(stderr, "{}\n", line);
}

void TrainingProgress::within(int64_t tokens_done, int64_t tokens) {
  const Clock::time_point now = Clock::now();
  if (!enabled_ || now - last_draw_ < std::chrono::milliseconds(500)) return;
  last_draw_ = now;
  draw(fmt::format("{}  [{} %]", last_.empty() ? name_ : last_, 100 * tokens_done / std::max<int64_t>(tokens, 1)));
}

}  // namespace minke::cli
