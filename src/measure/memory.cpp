#include "measure/memory.h"

#include <fstream>
#include <string>

namespace minke {

std::optional<int64_t> peak_resident_bytes() {
  std::ifstream file("/proc/self/status");
  for (std::string key, rest; file >> key; std::getline(file, rest)) {
    int64_t kilobytes = 0;
    if (key == "VmHWM:" && file >> kilobytes) return kilobytes * 1024;
  }
  return std::nullopt;
}

bool reset_peak_resident() {
  std::ofstream file("/proc/self/clear_refs");
  file << '5' << std::flush;  // proc(5)
  return file.good();
}

}  // namespace minke
