#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace minke {

void check_failed(const char* file, int line, const char* condition, const std::string& message) {
  std::fprintf(stderr, "minke: internal error: %s:%d: CHECK(%s)%s%s\n", file, line, condition, message.empty() ? "" : ": ",
               message.c_str());
  std::abort();
}

}  // namespace minke
