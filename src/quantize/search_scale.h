// Searches for formats with scales only: blocks of 32 (Q4_0, Q5_0, IQ4_NL) and super-blocks of 256 (Q3_K, Q6_K, IQ4_XS).
// For a fixed scale the best codes are the nearest levels; for fixed codes the best scale is a quotient of two sums. The search
// starts from many scales, alternates the two steps, and keeps what has the least weighted squared error.
#pragma once

#include "quantize/search.h"
#include "quantize/search_lanes.h"

namespace minke {
namespace {

struct ScaleFit {
  float d = 0;
  float gain = 0;  // what it takes off the error of all zeros
};

// Rounds of codes and scales after a start. A super-block's integers move every scale afterwards, so one is enough there.
constexpr int kBlockRefinements = 2, kSubBlockRefinements = 1;

// Starts: the largest magnitude on a level `reach` times the outermost one, reach in [first, first + kLanes * step).
template <typename Levels, int n_refinements>
inline void try_reaches(ScaleFit& best, const float* x, const float* w, int n, float largest, float first, float step) {
  const float outermost = greatest(-Levels::kLowest, Levels::kHighest);
  for (int sign = -1; sign <= 1; sign += 2) {
    float inverse[kLanes];
    for (int c = 0; c < kLanes; c++) {
      const float reach = first + step * static_cast<float>(c);
      inverse[c] = static_cast<float>(sign) * reach * outermost / largest;
    }
    for (int round = 0; round <= n_refinements; round++) {
      ScaleSums sums;
      sum_scale<Levels>(sums, x, w, n, inverse);
      for (int c = 0; c < kLanes; c++) {
        if (sums.b[c] <= 0 || sums.a[c] == 0) continue;
        const float d = sums.a[c] / sums.b[c];
        const float gain = sums.a[c] * d;
        if (gain > best.gain) best = {d, gain};
        inverse[c] = sums.b[c] / sums.a[c];
      }
    }
  }
}

template <typename Levels, int n_refinements>
inline ScaleFit fit_scale(const float* x, const float* w, int n) {
  ScaleFit best;
  const float largest = largest_magnitude(x, n);
  if (largest < kSmallestValue) return best;
  try_reaches<Levels, n_refinements>(best, x, w, n, largest, 0.70f, 0.03f);
  try_reaches<Levels, n_refinements>(best, x, w, n, largest, 1.18f, 0.12f);
  return best;
}

template <typename Levels>
inline void choose_codes(uint8_t* codes, const float* x, int n, float scale) {
  const float inverse = inverse_or_zero(scale);
  for (int i = 0; i < n; i++) codes[i] = Levels::code(Levels::nearest(x[i] * inverse));
}

// The value of binary16 near d that takes most off the error; 0 when zeros are best.
template <typename Levels>
inline float best_f16_scale(const float* x, const float* w, float d) {
  float scale[kLanes], inverse[kLanes];
  for (int c = 0; c < kLanes; c++) {
    scale[c] = round_scale_to_f16(d + d * static_cast<float>(c - kLanes / 2) * 0x1p-11f);
    inverse[c] = inverse_or_zero(scale[c]);
  }
  ScaleSums sums;
  sum_scale<Levels>(sums, x, w, kSmallBlock, inverse);
  float best = 0, best_gain = 0;
  for (int c = 0; c < kLanes; c++) {
    const float gain = scale[c] * (2 * sums.a[c] - scale[c] * sums.b[c]);
    if (gain > best_gain) best_gain = gain, best = scale[c];
  }
  return best;
}

template <typename Levels>
bool search_scale_block(ScaleBlock& out, const float* x, const float* w) {
  if (largest_magnitude(x, kSmallBlock) > kLargestValue) return false;
  out.d = best_f16_scale<Levels>(x, w, fit_scale<Levels, kBlockRefinements>(x, w, kSmallBlock).d);
  if (!fits_f16(out.d)) return false;
  choose_codes<Levels>(out.codes, x, kSmallBlock, out.d);
  return true;
}

// Format of a super-block: sub-blocks of n_sub elements with integer scales in [lowest, highest].
template <typename LevelsT, int size, int lowest, int highest>
struct ScaleSuperFormat {
  using Levels = LevelsT;
  static constexpr int kSize = size, kCount = kSuperBlock / size;
  static constexpr int kLowest = lowest, kHighest = highest;
};

struct ScaleSuperFit {
  float d = 0;
  float gain = 0;
  int16_t scales[kMaxSubBlocks] = {};
  float refit_a = 0, refit_b = 0;  // d for these codes is their quotient
};

// The best integer scale of every sub-block for a given d, among those around the sub-block's own best scale.
template <typename Format>
inline ScaleSuperFit fit_integer_scales(const float* x, const float* w, const ScaleFit* own, float d) {
  ScaleSuperFit fit;
  fit.d = d;
  for (int b = 0; b < Format::kCount; b++) {
    const float target =
        greatest(least(own[b].d / d, static_cast<float>(Format::kHighest)), static_cast<float>(Format::kLowest));
    const int first = greatest(least(static_cast<int>(target) - kLanes / 2, Format::kHighest - kLanes + 1), Format::kLowest);
    float scale[kLanes], inverse[kLanes];
    for (int c = 0; c < kLanes; c++) {
      scale[c] = d * static_cast<float>(first + c);
      inverse[c] = inverse_or_zero(scale[c]);
    }
    ScaleSums sums;
    sum_scale<typename Format::Levels>(sums, x + b * Format::kSize, w + b * Format::kSize, Format::kSize, inverse);
    int best = -1;
    float best_gain = 0;
    for (int c = 0; c < kLanes; c++) {
      const float gain = scale[c] * (2 * sums.a[c] - scale[c] * sums.b[c]);
      if (gain > best_gain) best_gain = gain, best = c;
    }
    if (best < 0) continue;  // nothing beats zeros
    const float s = static_cast<float>(first + best);
    fit.scales[b] = static_cast<int16_t>(first + best);
    fit.gain += best_gain;
    fit.refit_a += s * sums.a[best];
    fit.refit_b += s * s * sums.b[best];
  }
  return fit;
}

template <typename Format>
inline ScaleSuperFit search_super_scale(const float* x, const float* w, const ScaleFit* own, float largest) {
  constexpr float kReaches[] = {0.93f, 0.97f, 1.0f, 1.05f};
  constexpr int kMaxRefits = 4;
  ScaleSuperFit best;
  for (int sign = -1; sign <= 1; sign += 2) {
    const float end = static_cast<float>(sign < 0 ? Format::kLowest : Format::kHighest);
    for (float reach : kReaches) {
      const ScaleSuperFit fit = fit_integer_scales<Format>(x, w, own, round_scale_to_f16(largest / (end * reach)));
      if (fit.gain > best.gain) best = fit;
    }
  }
  for (int i = 0; i < kMaxRefits && best.refit_b > 0; i++) {
    const float d = round_scale_to_f16(best.refit_a / best.refit_b);
    if (d == best.d) break;
    const ScaleSuperFit fit = fit_integer_scales<Format>(x, w, own, d);
    if (fit.gain <= best.gain) break;
    best = fit;
  }
  return best;
}

template <typename Format>
bool search_scale_super(ScaleSuperBlock& out, const float* x, const float* w) {
  using Levels = typename Format::Levels;
  if (largest_magnitude(x, kSuperBlock) > kLargestValue) return false;
  ScaleFit own[Format::kCount];
  float largest = 0;
  for (int b = 0; b < Format::kCount; b++) {
    own[b] = fit_scale<Levels, kSubBlockRefinements>(x + b * Format::kSize, w + b * Format::kSize, Format::kSize);
    if (own[b].d * own[b].d > largest * largest) largest = own[b].d;
  }
  ScaleSuperFit fit;
  if (largest != 0) fit = search_super_scale<Format>(x, w, own, largest);
  out.d = fit.d;
  if (!fits_f16(out.d)) return false;
  for (int b = 0; b < Format::kCount; b++) {
    out.scales[b] = fit.scales[b];
    choose_codes<Levels>(out.codes + b * Format::kSize, x + b * Format::kSize, Format::kSize,
                         out.d * static_cast<float>(fit.scales[b]));
  }
  return true;
}

}  // namespace
}  // namespace minke
