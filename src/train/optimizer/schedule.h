// Values that change while training goes on: learning rate, batch size, weight of a loss. A schedule is a row of segments over
// a position that the caller counts, in steps or in tokens; all functions are pure. The learning rate of step k (from 1) is
// value_at(schedule, k): the first step of a warm-up over n steps gets peak / n and step n the peak. In tokens, the position is
// the tokens that are seen when the step is done.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace minke {

// How a segment goes from its first value to its last. kRoot: 1 - sqrt, fast at first (Hagele et al., arXiv 2405.18392).
enum class Curve { kLinear, kCosine, kRoot };

struct Segment {
  double end = 0;  // position where it ends; the next one begins there
  Curve curve = Curve::kLinear;
  double first = 0, last = 0;
};

using Schedule = std::vector<Segment>;  // ends ascending, at least one

// Before position 0 the first value, after the last segment its last value.
double value_at(const Schedule& schedule, double position);

// Whatever value_at gives, at least `multiple`, rounded down to a multiple of it: sequences of a batch in whole micro-batches.
int64_t batch_size_at(const Schedule& schedule, double position, int64_t multiple);

Schedule constant_schedule(double value, double warmup = 0);
// Linear warm-up to peak, then half a cosine to final at `total`.
Schedule cosine_schedule(double peak, double final, double warmup, double total);
// Warm-up, stable, decay: peak until decay_start, then down to final at `total`.
Schedule wsd_schedule(double peak, double final, double warmup, double decay_start, double total, Curve decay);

// DeepSeek-V3 (arXiv 2412.19437, section 4.2): warm-up, peak until decay_start, half a cosine to `final` at decay_end, `final`
// until last_start, then `last`. There: 2.2e-4, 2.2e-5 and 7.3e-6; 10, 14.3, 14.633 of 14.8 T tokens.
struct V3Rates {
  double peak = 2.2e-4, final = 2.2e-5, last = 7.3e-6;
  double warmup = 0, decay_start = 0, decay_end = 0, last_start = 0;
};
Schedule v3_schedule(const V3Rates& rates);

// DeepSeek-V2 (arXiv 2405.04434, section 3.1.2): warm-up to peak, times `factor` (0.316 there) at each of the positions.
Schedule step_schedule(double peak, double warmup, double factor, std::span<const double> positions);

// From `first` to `last` over `ramp`, then `last`: V3's 3072 to 15360 sequences over 469 B tokens.
Schedule ramp_schedule(double first, double last, double ramp);

}  // namespace minke
