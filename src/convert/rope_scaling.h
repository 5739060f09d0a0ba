// llama3's RoPE scaling as GGUF holds it: not its parameters, but what they divide every frequency by.
#pragma once

#include <vector>

#include "base/error.h"
#include "model/config.h"

namespace minke {

// The scaling that gives these divisors [rope.dim / 2] (rope.scaling must be none): theirs to 1e-6, or an error. Only the
// ratios of low_freq_factor, high_freq_factor and the original length shape the divisors, so low_freq_factor is 1.
Result<RopeConfig> recover_llama3(const RopeConfig& rope, const std::vector<float>& divisors);

}  // namespace minke
