#include "cli/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cli/table.h"

namespace minke::cli {

bool is_terminal(int fd) {
  const char* term = std::getenv("TERM");
  return ::isatty(fd) != 0 && term != nullptr && std::strcmp(term, "dumb") != 0;
}

int terminal_width() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

std::string bytes_text(uint64_t n) {
  const char* units[] = {"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(n);
  size_t unit = 0;
  while (value >= 1000.0 && unit + 1 < std::size(units)) {
    value /= 1000.0;
    unit++;
  }
  return unit == 0 ? fmt::format("{} B", n) : fmt::format("{:.{}f} {}", value, value < 10 ? 2 : 1, units[unit]);
}

std::string count_text(int64_t n) {
  if (n < 1000) return fmt::format("{}", n);
  const char* units[] = {"", "k", "M", "B", "T"};
  double value = static_cast<double>(n);
  size_t unit = 0;
  while (value >= 1000.0 && unit + 1 < std::size(units)) {
    value /= 1000.0;
    unit++;
  }
  return fmt::format("{:.{}f} {}", value, value < 10 ? 3 : value < 100 ? 2 : 1, units[unit]);
}

std::string seconds_text(double s) {
  if (s < 1) return fmt::format("{:.0f} ms", s * 1e3);
  if (s < 60) return fmt::format("{:.1f} s", s);
  int64_t whole = static_cast<int64_t>(s);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

Style style_of(int fd) {
  const char* no_color = std::getenv("NO_COLOR");
  if (!is_terminal(fd) || (no_color != nullptr && *no_color != '\0')) return {"", "", ""};
  return {"\x1b[2m", "\x1b[1m", "\x1b[0m"};
}

ProgressBar::ProgressBar(std::string label, Unit unit)
    : label_(std::move(label)), unit_(unit), enabled_(is_terminal(STDERR_FILENO)), start_(Clock::now()), last_draw_(start_) {}

ProgressBar::~ProgressBar() { clear(); }

void ProgressBar::clear() {
  if (drawn_) std::fputs("\r\x1b[K", stderr);
  drawn_ = false;
}

void ProgressBar::note(std::string_view text) {
  clear();
  fmt::print(stderr, "{}\n", text);
}

bool ProgressBar::is_due() {
  Clock::time_point now = Clock::now();
  if (!enabled_ || now - start_ < std::chrono::seconds(2) || now - last_draw_ < std::chrono::milliseconds(100)) return false;
  last_draw_ = now;
  return true;
}

void ProgressBar::update(uint64_t done, uint64_t total) {
  if (!has_baseline_) baseline_ = done;
  has_baseline_ = true;
  if (!is_due()) return;
  double elapsed = std::chrono::duration<double>(last_draw_ - start_).count();
  double rate = static_cast<double>(done - std::min(done, baseline_)) / elapsed;
  std::string tail = unit_ == Unit::kBytes ? fmt::format("{} / {}  {}/s", bytes_text(done), bytes_text(total),
                                                         bytes_text(static_cast<uint64_t>(rate)))
                                           : fmt::format("{} / {}  {:.1f}/s", done, total, rate);
  if (rate > 0 && total > done) tail += fmt::format("  {} left", seconds_text(static_cast<double>(total - done) / rate));
  draw(done, total, tail);
}

void ProgressBar::update(uint64_t done, uint64_t total, const std::string& tail) {
  if (is_due()) draw(done, total, tail);
}

void ProgressBar::draw(uint64_t done, uint64_t total, const std::string& tail) {
  int columns = terminal_width();
  int width = columns - display_width(tail) - display_width(label_) - 8;
  std::string bar;
  if (width >= 10 && total > 0) {
    double share = static_cast<double>(std::min(done, total)) / static_cast<double>(total);
    int filled = static_cast<int>(static_cast<double>(width) * share);
    bar = fmt::format("[{:#>{}}{: >{}}] ", "", filled, "", width - filled);
  }
  // A line that wraps could not be drawn over.
  fmt::print(stderr, "\r\x1b[K{}", cut_to_width(fmt::format("{} {}{}", label_, bar, tail), columns - 1));
  std::fflush(stderr);
  drawn_ = true;
}

}  // namespace minke::cli
