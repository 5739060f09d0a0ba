#include "format/quote.h"

#include <fmt/format.h>

#include "base/utf8.h"

namespace minke {

std::string quote_name(std::string_view name) {
  constexpr size_t kMaxBytes = 120;
  std::string out = "\"";
  size_t pos = 0;
  while (pos < name.size() && pos < kMaxBytes) {
    Utf8Step step = utf8_decode(name, pos);
    bool control = step.code_point < 0x20 || (step.code_point >= 0x7F && step.code_point < 0xA0);
    for (size_t i = pos; i < pos + step.n_bytes; i++) {
      if (!step.valid || control) {
        out += fmt::format("\\x{:02x}", static_cast<unsigned char>(name[i]));
      } else {
        out += name[i];
      }
    }
    pos += step.n_bytes;
  }
  out += pos < name.size() ? "...\"" : "\"";
  return out;
}

}  // namespace minke
