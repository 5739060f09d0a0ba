#include "cli/line_editor.h"

#include <editline/readline.h>
#include <unistd.h>

#include <clocale>
#include <cstdlib>
#include <iostream>

#include "cli/interrupt.h"
#include "cli/terminal.h"

namespace minke::cli {

LineEditor::LineEditor() : interactive_(::isatty(STDIN_FILENO) != 0 && is_terminal(STDOUT_FILENO)) {
  // libedit counts columns of wide (Korean) characters by the locale.
  if (interactive_) std::setlocale(LC_CTYPE, "");
}

std::optional<std::string> LineEditor::read(const std::string& prompt) {
  std::atomic<bool>& interrupted = interrupt_flag();
  interrupted = false;
  if (!interactive_) {
    std::string line;
    if (!std::getline(std::cin, line)) return std::nullopt;
    return line;
  }
  char* raw = ::readline(prompt.c_str());
  if (raw == nullptr) {
    if (!interrupted.exchange(false)) return std::nullopt;
    std::cout << "\n";
    return std::string();
  }
  std::string line = raw;
  std::free(raw);
  if (!line.empty()) ::add_history(line.c_str());
  return line;
}

}  // namespace minke::cli
