// Any bytes as a safetensors file: an error or tensors that cover the data exactly.
#include <cstdlib>

#include "format/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto header = minke::parse_safetensors({reinterpret_cast<const std::byte*>(data), size}, "fuzz");
  if (!header) {
    if (header.error().message.find('\n') != std::string::npos) std::abort();
    return 0;
  }
  unsigned sum = 0;
  uint64_t previous_end = 0;
  for (const auto& entry : header->entries) {
    if (previous_end != 0 && entry.begin != previous_end) std::abort();
    previous_end = entry.end;
    for (uint64_t i = entry.begin; i < entry.end; i++) sum += data[i];
  }
  if (previous_end != 0 && previous_end != size) std::abort();
  volatile unsigned sink = sum;
  (void)sink;
  return 0;
}
