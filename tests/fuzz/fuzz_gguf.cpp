// Any bytes as a GGUF file: an error or tensors that lie inside the file and can be read.
#include <cstdlib>

#include "format/gguf.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto file = minke::parse_gguf({reinterpret_cast<const std::byte*>(data), size}, "fuzz");
  if (!file) {
    if (file.error().message.find('\n') != std::string::npos) std::abort();
    return 0;
  }
  unsigned sum = 0;
  for (const auto& entry : file->tensors.entries()) {
    for (std::byte b : entry.view.bytes()) sum += static_cast<unsigned>(b);
  }
  for (const auto& [key, value] : file->metadata.entries()) {
    sum += file->metadata.integer(key).has_value() + file->metadata.strings(key).has_value() +
           file->metadata.numbers(key).has_value();
  }
  volatile unsigned sink = sum;
  (void)sink;
  return 0;
}
