// What tests do otherwise under the sanitizers.
#pragma once

#include <vector>

#include "base/cpu_info.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MINKE_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MINKE_SANITIZED
#endif

namespace minke::testing {

// Instruction sets for tests that generate many tokens on each: all of them, but under the sanitizers without the definitions
// (Isa::kRef), which take minutes there and have the kernels' own tests.
inline std::vector<Isa> isas_for_generation() {
  std::vector<Isa> isas = available_isas();
#ifdef MINKE_SANITIZED
  std::erase(isas, Isa::kRef);
#endif
  return isas;
}

}  // namespace minke::testing
