// Searches for formats with a scale and a minimum: blocks of 32 (Q4_1, Q5_1) and super-blocks of 256 (Q2_K, Q4_K, Q5_K).
// As in search_scale.h, with two unknowns per block: for fixed codes they are the solution of a 2 x 2 least-squares system.
#pragma once

#include "quantize/search.h"
#include "quantize/search_lanes.h"

namespace minke {
namespace {

// x ~ d q - m
struct AffineFit {
  float d = 0, m = 0;
  float gain = -1;  // what it takes off the error of all zeros; -1: none yet
};

// Super-blocks store minima without sign, so that m >= 0; a block of 32 has its own signed m.
enum class MinSign { kAny, kNotNegative };

struct WeightSums {
  float w = 0, wx = 0;
};

// Of the 2 x 2 systems, relative to the product of the diagonal: less is rounding noise of equal codes.
constexpr float kLeastDeterminant = 1e-5f;

struct AffineSolution {
  float d, m, gain;
};

template <MinSign min_sign>
inline AffineSolution solve_affine(float q, float qq, float qx, WeightSums sums) {
  const float determinant = sums.w * qq - q * q;
  AffineSolution s = {0, 0, -1};
  const bool is_constant = determinant <= kLeastDeterminant * sums.w * qq;
  if (!is_constant) {
    s.d = (sums.w * qx - sums.wx * q) / determinant;
    s.m = (q * qx - qq * sums.wx) / determinant;
  }
  if (min_sign == MinSign::kNotNegative && (is_constant || s.m < 0)) {
    if (qq <= 0) return s;
    s.m = 0;
    s.d = qx / qq;
  } else if (is_constant) {
    return s;
  }
  s.gain = 2 * (s.d * qx - s.m * sums.wx) - (s.d * s.d * qq - 2 * s.d * s.m * q + s.m * s.m * sums.w);
  return s;
}

constexpr int kAffineRefinements = 2;

// Starts: the interval [low, high] with its ends moved inwards by lanes' shares of its length.
template <int highest, MinSign min_sign>
inline void try_intervals(AffineFit& best, const float* x, const float* w, int n, WeightSums sums, float low, float high,
                          const float (&low_moves)[4], const float (&high_moves)[4]) {
  float inverse[kLanes], min[kLanes];
  for (int c = 0; c < kLanes; c++) {
    const float length = high - low;
    const float from = low + low_moves[c % 4] * length, to = high - high_moves[c / 4] * length;
    min[c] = min_sign == MinSign::kNotNegative ? greatest(-from, 0.0f) : -from;
    inverse[c] = inverse_or_zero((to + min[c]) / static_cast<float>(highest));
  }
  for (int round = 0; round <= kAffineRefinements; round++) {
    AffineSums lanes;
    sum_affine<highest>(lanes, x, w, n, inverse, min);
    for (int c = 0; c < kLanes; c++) {
      const AffineSolution s = solve_affine<min_sign>(lanes.q[c], lanes.qq[c], lanes.qx[c], sums);
      if (s.gain > best.gain && s.d >= 0) best = {s.d, s.m, s.gain};
      if (s.d <= 0) continue;
      inverse[c] = 1.0f / s.d;
      min[c] = s.m;
    }
  }
}

template <int highest, MinSign min_sign>
inline AffineFit fit_affine(const float* x, const float* w, int n) {
  WeightSums sums;
  float low = x[0], high = x[0];
  for (int i = 0; i < n; i++) {
    sums.w += w[i];
    sums.wx += w[i] * x[i];
    low = least(low, x[i]);
    high = greatest(high, x[i]);
  }
  if (min_sign == MinSign::kNotNegative) low = least(low, 0.0f);
  AffineFit best;
  // A constant, which m holds alone: as good as any start for a block without spread.
  const float mean = sums.wx / sums.w;
  if (min_sign == MinSign::kAny || mean <= 0) best = {0, -mean, sums.wx * mean};
  if (high - low < kSmallestValue) return best;
  constexpr float kNear[4] = {-0.02f, 0.02f, 0.06f, 0.11f}, kFar[4] = {0.0f, 0.08f, 0.18f, 0.3f};
  try_intervals<highest, min_sign>(best, x, w, n, sums, low, high, kNear, kNear);
  try_intervals<highest, min_sign>(best, x, w, n, sums, low, high, kFar, kFar);
  return best;
}

inline void set_lane(float* scale, float* inverse, float* min, int c, float d, float m) {
  scale[c] = d;
  inverse[c] = inverse_or_zero(d);
  min[c] = m;
}

template <int highest>
inline void choose_affine_codes(uint8_t* codes, const float* x, int n, float d, float m) {
  using Levels = UniformLevels<0, highest>;
  const float inverse = inverse_or_zero(d);
  for (int i = 0; i < n; i++) codes[i] = Levels::code(Levels::nearest((m + x[i]) * inverse));
}

inline int best_lane(const float* errors) {
  int best = 0;
  for (int c = 1; c < kLanes; c++) {
    if (errors[c] < errors[best]) best = c;
  }
  return best;
}

template <int highest>
bool search_affine_block(AffineBlock& out, const float* x, const float* w) {
  if (largest_magnitude(x, kSmallBlock) > kLargestValue) return false;
  const AffineFit fit = fit_affine<highest, MinSign::kAny>(x, w, kSmallBlock);
  // binary16 has 11 bits: rounding m and d independently is not the best pair, so neighbours compete.
  constexpr float kSteps[4] = {-0x1p-11f, 0, 0x1p-11f, 0x1p-10f};
  float scale[kLanes], inverse[kLanes], min[kLanes], errors[kLanes];
  for (int c = 0; c < kLanes; c++) {
    const float d = round_to_f16(fit.d + kSteps[c % 4] * fit.d), m = round_to_f16(fit.m + kSteps[c / 4] * fit.m);
    set_lane(scale, inverse, min, c, d, m);
  }
  set_lane(scale, inverse, min, kLanes - 1, 0, 0);  // values so small that binary16 rounds away from them
  sum_errors<UniformLevels<0, highest>>(errors, x, w, kSmallBlock, scale, inverse, min);
  const int best = best_lane(errors);
  out.d = scale[best];
  out.m = -min[best];
  if (!fits_f16(out.d) || !fits_f16(out.m)) return false;
  choose_affine_codes<highest>(out.codes, x, kSmallBlock, out.d, min[best]);
  return true;
}

// Format of a super-block: sub-blocks of `size` elements, codes up to `highest`, integer scales and minima up to `integers`.
template <int highest, int size, int integers>
struct AffineSuperFormat {
  static constexpr int kHighest = highest, kSize = size, kCount = kSuperBlock / size, kIntegers = integers;
};

struct AffineSuperFit {
  float d = 0, dmin = 0;
  float error = 0;
  uint8_t scales[kMaxSubBlocks] = {}, mins[kMaxSubBlocks] = {};
};

inline int clamp_integer(int value, int highest) { return greatest(0, least(value, highest)); }

struct IntegerPair {
  int scale, min;
  float error;
};

// The best integers of a sub-block for given d and dmin: 4 scales times 4 minima around (scale, min).
template <typename Format>
inline IntegerPair try_integers(const float* x, const float* w, float d, float dmin, int first_scale, int first_min) {
  float scale[kLanes], inverse[kLanes], min[kLanes], errors[kLanes];
  for (int c = 0; c < kLanes; c++) {
    const int s = clamp_integer(first_scale + c % 4, Format::kIntegers),
              m = clamp_integer(first_min + c / 4, Format::kIntegers);
    set_lane(scale, inverse, min, c, d * static_cast<float>(s), dmin * static_cast<float>(m));
  }
  sum_errors<UniformLevels<0, Format::kHighest>>(errors, x, w, Format::kSize, scale, inverse, min);
  const int c = best_lane(errors);
  return {clamp_integer(first_scale + c % 4, Format::kIntegers), clamp_integer(first_min + c / 4, Format::kIntegers),
          errors[c]};
}

template <typename Format>
inline AffineSuperFit fit_integers(const float* x, const float* w, const AffineFit* own, float d, float dmin) {
  AffineSuperFit fit;
  fit.d = d;
  fit.dmin = dmin;
  const float inverse_d = inverse_or_zero(d), inverse_dmin = inverse_or_zero(dmin);
  const float top = static_cast<float>(Format::kIntegers);
  for (int b = 0; b < Format::kCount; b++) {
    const float* xb = x + b * Format::kSize;
    const float* wb = w + b * Format::kSize;
    const int scale = static_cast<int>(least(own[b].d * inverse_d, top)),
              min = static_cast<int>(least(own[b].m * inverse_dmin, top));
    IntegerPair pair = try_integers<Format>(xb, wb, d, dmin, scale - 1, min - 1);
    if (Format::kIntegers < 63) {  // steps of 4-bit integers are coarse: the best pair may be further away
      for (int step = 0; step < 2; step++) {
        const IntegerPair next = try_integers<Format>(xb, wb, d, dmin, scale - 3 + 4 * step, min - 3 + 4 * step);
        if (next.error < pair.error) pair = next;
      }
    }
    fit.scales[b] = static_cast<uint8_t>(pair.scale);
    fit.mins[b] = static_cast<uint8_t>(pair.min);
    fit.error += pair.error;
  }
  return fit;
}

// d and dmin that are best for the codes of a fit: sums over all elements of x ~ d (S q) - dmin M.
template <typename Format>
inline AffineSolution refit(const float* x, const float* w, const AffineSuperFit& fit) {
  using Levels = UniformLevels<0, Format::kHighest>;
  float ss = 0, sm = 0, mm = 0, sx = 0, mx = 0;
  for (int b = 0; b < Format::kCount; b++) {
    const float scale = static_cast<float>(fit.scales[b]), min = static_cast<float>(fit.mins[b]);
    const float inverse = inverse_or_zero(fit.d * scale), m = fit.dmin * min;
    float q_sum = 0, qq_sum = 0, qx_sum = 0, w_sum = 0, wx_sum = 0;
    for (int i = b * Format::kSize; i < (b + 1) * Format::kSize; i++) {
      const float q = Levels::nearest((m + x[i]) * inverse);
      q_sum += w[i] * q;
      qq_sum += w[i] * q * q;
      qx_sum += w[i] * q * x[i];
      w_sum += w[i];
      wx_sum += w[i] * x[i];
    }
    ss += scale * scale * qq_sum;
    sm += scale * min * q_sum;
    mm += min * min * w_sum;
    sx += scale * qx_sum;
    mx += min * wx_sum;
  }
  const float determinant = ss * mm - sm * sm;
  if (determinant > kLeastDeterminant * ss * mm)
    return {(sx * mm - sm * mx) / determinant, (sm * sx - ss * mx) / determinant, 0};
  if (ss > 0) return {sx / ss, 0, 0};
  return {fit.d, fit.dmin, 0};
}

template <typename Format>
inline AffineSuperFit search_super_affine(const float* x, const float* w, const AffineFit* own, float largest_d,
                                          float largest_m) {
  constexpr float kReaches[] = {0.94f, 1.06f, 1.14f};
  constexpr int kMaxRefits = 4;
  const float top = static_cast<float>(Format::kIntegers);
  const float d = largest_d / top, dmin = largest_m / top;
  AffineSuperFit best = fit_integers<Format>(x, w, own, round_scale_to_f16(d), round_scale_to_f16(dmin));
  auto consider = [&](float new_d, float new_dmin) {
    const AffineSuperFit fit = fit_integers<Format>(x, w, own, round_scale_to_f16(new_d), round_scale_to_f16(new_dmin));
    const bool is_better = fit.error < best.error;
    if (is_better) best = fit;
    return is_better;
  };
  for (float reach : kReaches) consider(d * reach, best.dmin);
  for (float reach : kReaches) consider(best.d, dmin * reach);
  for (int i = 0; i < kMaxRefits; i++) {
    const AffineSolution s = refit<Format>(x, w, best);
    if (s.d <= 0 || s.m < 0 || !consider(s.d, s.m)) break;
  }
  return best;
}

template <typename Format>
bool search_affine_super(AffineSuperBlock& out, const float* x, const float* w) {
  if (largest_magnitude(x, kSuperBlock) > kLargestValue) return false;
  AffineFit own[Format::kCount];
  float largest_d = 0, largest_m = 0;
  for (int b = 0; b < Format::kCount; b++) {
    own[b] = fit_affine<Format::kHighest, MinSign::kNotNegative>(x + b * Format::kSize, w + b * Format::kSize, Format::kSize);
    largest_d = greatest(largest_d, own[b].d);
    largest_m = greatest(largest_m, own[b].m);
  }
  const AffineSuperFit fit = search_super_affine<Format>(x, w, own, largest_d, largest_m);
  out.d = fit.d;
  out.dmin = fit.dmin;
  if (!fits_f16(out.d) || !fits_f16(out.dmin)) return false;
  for (int b = 0; b < Format::kCount; b++) {
    out.scales[b] = fit.scales[b];
    out.mins[b] = fit.mins[b];
    choose_affine_codes<Format::kHighest>(out.codes + b * Format::kSize, x + b * Format::kSize, Format::kSize,
                                          out.d * static_cast<float>(fit.scales[b]),
                                          out.dmin * static_cast<float>(fit.mins[b]));
  }
  return true;
}

}  // namespace
}  // namespace minke
