// Angles of rotary position encoding: inverse frequencies with the scaling that the config asks for.
// Sources: YaRN paper (arXiv 2309.00071) section 3 and transformers' modeling_rope_utils; llama3 scaling: same file.
#pragma once

#include <cstdint>
#include <vector>

#include "model/config.h"

namespace minke {

struct RopeFrequencies {
  std::vector<float> inverse;  // [dim / 2]: angle of plane i at position p is p * inverse[i]
  float magnitude = 1.0f;      // multiplies cos and sin (YaRN)
};

// `divisors` (GGUF's rope_freqs tensor, [dim / 2]) divides every frequency; empty: none.
RopeFrequencies rope_frequencies(const RopeConfig& rope, const std::vector<float>& divisors);

// What llama3's scaling divides every frequency by, [dim / 2]: the content of GGUF's rope_freqs.
std::vector<float> llama3_divisors(const RopeConfig& rope);

// cos, sin [n, dim / 2] of positions [n]. Angles are f32 products, as in the published code.
void rope_angles(float* cos, float* sin, const int64_t* positions, int64_t n, const RopeFrequencies& frequencies);

}  // namespace minke
