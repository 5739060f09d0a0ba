// Reads lines from the user: with editing and history (libedit) in a terminal, plainly from a pipe. Nothing is kept on disk.
#pragma once

#include <optional>
#include <string>

namespace minke::cli {

class LineEditor {
 public:
  LineEditor();
  // None at the end of input (Ctrl-D). An empty string for a line given up with Ctrl-C.
  std::optional<std::string> read(const std::string& prompt);
  bool is_interactive() const { return interactive_; }

 private:
  bool interactive_;
};

}  // namespace minke::cli
