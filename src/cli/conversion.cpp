#include "cli/conversion.h"

#include <chrono>
#include <csignal>

#include "cli/interrupt.h"
#include "cli/model_argument.h"
#include "cli/terminal.h"

namespace minke::cli {

Result<Conversion> run_conversion(const std::string& input, const std::string& output, ConvertOptions options, int n_threads,
                                  const std::string& label) {
  // A file size limit of the shell then gives an error to report instead of ending the process in the middle of a file.
  std::signal(SIGXFSZ, SIG_IGN);
  std::atomic<bool>& interrupted = interrupt_flag();
  const std::string path = TRY(resolve_model(input));
  Machine machine = TRY(make_machine(n_threads));
  options.context = machine.context;
  const auto start = std::chrono::steady_clock::now();
  ProgressBar bar(label, ProgressBar::Unit::kBytes);
  options.progress = [&](uint64_t done, uint64_t total) {
    bar.update(done, total);
    return !interrupted.load();
  };
  Conversion conversion;
  conversion.report = TRY(convert_model(path, output, options));
  conversion.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return conversion;
}

}  // namespace minke::cli
