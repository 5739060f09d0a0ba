// What convert and quantize share: a conversion with a progress bar that Ctrl-C stops.
#pragma once

#include <string>

#include "convert/convert.h"

namespace minke::cli {

struct Conversion {
  ConvertReport report;  // stopped: by Ctrl-C
  double seconds = 0;
};

// `input` as the user gave it; n_threads 0: all cores. Sets the context and the progress of the options.
Result<Conversion> run_conversion(const std::string& input, const std::string& output, ConvertOptions options, int n_threads,
                                  const std::string& label);

}  // namespace minke::cli
