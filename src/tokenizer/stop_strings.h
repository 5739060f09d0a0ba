// Ends a stream of text at the first of several strings, without ever giving out a part of one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace minke {

class StopStrings {
 public:
  explicit StopStrings(std::vector<std::string> stops) : stops_(std::move(stops)) {}

  // The text that can be given out now. What could be the start of a stop string is held back.
  std::string push(std::string_view text);
  // The end of the stream: what was held back, none after a stop.
  std::string flush();
  bool stopped() const { return stopped_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace minke
