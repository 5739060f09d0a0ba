#include "train/optimizer/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/check.h"

namespace minke {
namespace {

// 0 at the beginning of a segment, 1 at its end.
double progress(Curve curve, double x) {
  switch (curve) {
    case Curve::kLinear:
      return x;
    case Curve::kCosine:
      return 0.5 * (1.0 - std::cos(std::numbers::pi * x));
    case Curve::kRoot:
      return std::sqrt(x);
  }
  return x;
}

void add_warmup(Schedule& schedule, double peak, double warmup) {
  CHECK(warmup >= 0, "warmup = {}", warmup);
  if (warmup > 0) schedule.push_back({warmup, Curve::kLinear, 0, peak});
}

void add(Schedule& schedule, const Segment& segment) {
  const double begin = schedule.empty() ? 0 : schedule.back().end;
  CHECK(segment.end >= begin, "a segment from {} to {}", begin, segment.end);
  if (segment.end > begin || schedule.empty()) schedule.push_back(segment);
}

}  // namespace

double value_at(const Schedule& schedule, double position) {
  CHECK(!schedule.empty(), "a schedule without segments");
  double begin = 0;
  for (const Segment& s : schedule) {
    // A segment holds its end: the step that completes a warm-up has the peak.
    if (position <= s.end && s.end > begin) {
      const double x = std::clamp((position - begin) / (s.end - begin), 0.0, 1.0);
      return x == 1.0 ? s.last : s.first + (s.last - s.first) * progress(s.curve, x);
    }
    begin = s.end;
  }
  return schedule.back().last;
}

int64_t batch_size_at(const Schedule& schedule, double position, int64_t multiple) {
  CHECK(multiple > 0, "multiple = {}", multiple);
  const auto n = static_cast<int64_t>(std::floor(value_at(schedule, position) / static_cast<double>(multiple)));
  return std::max(n, int64_t{1}) * multiple;
}

Schedule constant_schedule(double value, double warmup) {
  Schedule schedule;
  add_warmup(schedule, value, warmup);
  add(schedule, {warmup + 1, Curve::kLinear, value, value});
  return schedule;
}

Schedule cosine_schedule(double peak, double final, double warmup, double total) {
  Schedule schedule;
  add_warmup(schedule, peak, warmup);
  add(schedule, {total, Curve::kCosine, peak, final});
  return schedule;
}

Schedule wsd_schedule(double peak, double final, double warmup, double decay_start, double total, Curve decay) {
  Schedule schedule;
  add_warmup(schedule, peak, warmup);
  add(schedule, {decay_start, Curve::kLinear, peak, peak});
  add(schedule, {total, decay, peak, final});
  return schedule;
}

Schedule v3_schedule(const V3Rates& rates) {
  Schedule schedule;
  add_warmup(schedule, rates.peak, rates.warmup);
  add(schedule, {rates.decay_start, Curve::kLinear, rates.peak, rates.peak});
  add(schedule, {rates.decay_end, Curve::kCosine, rates.peak, rates.final});
  add(schedule, {rates.last_start, Curve::kLinear, rates.final, rates.final});
  // The rate changes in a step, so the segment's length does not matter.
  schedule.push_back({rates.last_start + 1, Curve::kLinear, rates.last, rates.last});
  return schedule;
}

Schedule step_schedule(double peak, double warmup, double factor, std::span<const double> positions) {
  Schedule schedule;
  add_warmup(schedule, peak, warmup);
  double rate = peak;
  for (double position : positions) {
    add(schedule, {position, Curve::kLinear, rate, rate});
    rate *= factor;
  }
  const double end = schedule.empty() ? 1 : schedule.back().end + 1;
  schedule.push_back({end, Curve::kLinear, rate, rate});
  return schedule;
}

Schedule ramp_schedule(double first, double last, double ramp) { return {{std::max(ramp, 0.0), Curve::kLinear, first, last}}; }

}  // namespace minke
