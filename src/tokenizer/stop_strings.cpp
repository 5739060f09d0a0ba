#include "tokenizer/stop_strings.h"

#include <algorithm>

namespace minke {

std::string StopStrings::push(std::string_view text) {
  if (stopped_) return {};
  held_ += text;
  size_t first = std::string::npos;
  for (const std::string& stop : stops_) {
    if (!stop.empty()) first = std::min(first, held_.find(stop));
  }
  if (first != std::string::npos) {
    stopped_ = true;
    std::string out = held_.substr(0, first);
    held_.clear();
    return out;
  }
  // The longest end of the text that is a start of some stop string.
  size_t n_keep = 0;
  for (const std::string& stop : stops_) {
    for (size_t n = std::min(held_.size(), stop.empty() ? 0 : stop.size() - 1); n > n_keep; n--) {
      if (held_.ends_with(std::string_view(stop).substr(0, n))) n_keep = n;
    }
  }
  std::string out = held_.substr(0, held_.size() - n_keep);
  held_.erase(0, out.size());
  return out;
}

std::string StopStrings::flush() { return stopped_ ? std::string() : std::move(held_); }

}  // namespace minke
