// The terminal: whether there is one, how wide it is, dimmed text, and a progress bar that is silent when there is none.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace minke::cli {

bool is_terminal(int fd);            // and NO_COLOR is not set, TERM is not "dumb", for styling
int terminal_width();                // columns of stderr, 80 when unknown
std::string bytes_text(uint64_t n);  // "1.4 GB", decimal units
std::string count_text(int64_t n);   // "671.0 B", "1.78 M"
std::string seconds_text(double s);  // "3.2 s", "4 min 05 s", "2 h 03 min"

// Escape sequences for stdout text, empty when stdout is not a terminal.
struct Style {
  std::string_view dim, bold, reset;
};
Style style_of(int fd);

// One line on stderr, redrawn at most ten times a second once the work has taken two seconds.
class ProgressBar {
 public:
  // unit: what done/total count. kBytes shows MB/s.
  enum class Unit { kBytes, kItems };
  ProgressBar(std::string label, Unit unit);
  ~ProgressBar();  // clears the line
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void update(uint64_t done, uint64_t total);
  // The same with the caller's own figures behind the bar instead of count, rate and time left.
  void update(uint64_t done, uint64_t total, const std::string& tail);
  void set_label(std::string label) { label_ = std::move(label); }
  // A line above the bar.
  void note(std::string_view text);
  // Takes the bar off the screen until the next update.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  // Whether it is time to draw, and if so counts this as drawn.
  bool is_due();
  void draw(uint64_t done, uint64_t total, const std::string& tail);
  std::string label_;
  Unit unit_;
  bool enabled_;
  bool drawn_ = false;
  bool has_baseline_ = false;
  uint64_t baseline_ = 0;  // done at the first update: what was there before does not count for the rate
  Clock::time_point start_, last_draw_;
};

}  // namespace minke::cli
