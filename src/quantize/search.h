// What a quantiser decides for one block, before it is packed into bytes: codes and scales that minimise the weighted squared
// error. The search exists once per instruction set and gives the same bits on each.
// Units with instruction set flags include this: no inline functions with external linkage here.
#pragma once

#include <cstdint>

namespace minke {

constexpr int kSmallBlock = 32, kSuperBlock = 256, kMaxSubBlocks = 16;

// x ~ d * level(code). d is a value of binary16.
struct ScaleBlock {
  float d;
  uint8_t codes[kSmallBlock];
};

// x ~ d * code + m, both values of binary16.
struct AffineBlock {
  float d, m;
  uint8_t codes[kSmallBlock];
};

// x ~ d * scales[sub-block] * level(code)
struct ScaleSuperBlock {
  float d;
  int16_t scales[kMaxSubBlocks];
  uint8_t codes[kSuperBlock];
};

// x ~ d * scales[sub-block] * code - dmin * mins[sub-block]
struct AffineSuperBlock {
  float d, dmin;
  uint8_t scales[kMaxSubBlocks], mins[kMaxSubBlocks];
  uint8_t codes[kSuperBlock];
};

// x: finite. w: >= 0, none of the sums over a block zero. False when the scale does not fit binary16.
template <typename Block>
using SearchFn = bool (*)(Block& out, const float* x, const float* w);

struct SearchTable {
  SearchFn<ScaleBlock> q4_0, q5_0, iq4_nl;
  SearchFn<AffineBlock> q4_1, q5_1;
  SearchFn<ScaleSuperBlock> q3_k, q6_k, iq4_xs;
  SearchFn<AffineSuperBlock> q2_k, q4_k, q5_k;
};

extern const SearchTable kBaselineSearch, kAvx2Search, kAvx512Search;

}  // namespace minke
