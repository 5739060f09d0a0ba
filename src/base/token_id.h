// The number of a token in a vocabulary; negative is none.
#pragma once

#include <cstdint>

namespace minke {

using TokenId = int32_t;

}  // namespace minke
