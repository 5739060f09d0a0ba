#include "model/rope_table.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/check.h"

namespace minke {
namespace {

std::vector<double> plain_frequencies(const RopeConfig& rope) {
  std::vector<double> frequencies(static_cast<size_t>(rope.dim / 2));
  for (size_t i = 0; i < frequencies.size(); i++) {
    frequencies[i] = std::pow(rope.theta, -2.0 * static_cast<double>(i) / static_cast<double>(rope.dim));
  }
  return frequencies;
}

// The pair index at which a plane turns n times over the original context.
double correction_dim(double n_turns, const RopeConfig& rope) {
  return static_cast<double>(rope.dim) * std::log(rope.original_max_seq_len / (n_turns * 2.0 * std::numbers::pi)) /
         (2.0 * std::log(rope.theta));
}

void scale_yarn(std::vector<double>& frequencies, const RopeConfig& rope) {
  double low = correction_dim(rope.beta_fast, rope);
  double high = correction_dim(rope.beta_slow, rope);
  if (rope.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(rope.dim - 1));
  if (low == high) high += 0.001;  // a step instead of a division by zero
  for (size_t i = 0; i < frequencies.size(); i++) {
    double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    frequencies[i] = frequencies[i] * (1.0 - ramp) + frequencies[i] / rope.factor * ramp;
  }
}

void scale_llama3(std::vector<double>& frequencies, const RopeConfig& rope) {
  double longest = rope.original_max_seq_len / rope.low_freq_factor;
  double shortest = rope.original_max_seq_len / rope.high_freq_factor;
  for (double& f : frequencies) {
    double wavelength = 2.0 * std::numbers::pi / f;
    if (wavelength > longest) {
      f /= rope.factor;
    } else if (wavelength >= shortest) {
      double smooth =
          (rope.original_max_seq_len / wavelength - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
      f = (1.0 - smooth) * f / rope.factor + smooth * f;
    }
  }
}

double yarn_mscale(double factor, double mscale) { return factor <= 1.0 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0; }

double yarn_magnitude(const RopeConfig& rope) {
  if (rope.attention_factor != 0.0) return rope.attention_factor;
  if (rope.mscale != 0.0 && rope.mscale_all_dim != 0.0) {
    return yarn_mscale(rope.factor, rope.mscale) / yarn_mscale(rope.factor, rope.mscale_all_dim);
  }
  return yarn_mscale(rope.factor, 1.0);
}

}  // namespace

RopeFrequencies rope_frequencies(const RopeConfig& rope, const std::vector<float>& divisors) {
  CHECK(rope.dim > 0 && rope.dim % 2 == 0, "dim {}", rope.dim);
  std::vector<double> frequencies = plain_frequencies(rope);
  RopeFrequencies out;
  switch (rope.scaling) {
    case RopeScaling::kNone:
      break;
    case RopeScaling::kLinear:
      for (double& f : frequencies) f /= rope.factor;
      break;
    case RopeScaling::kYarn:
      scale_yarn(frequencies, rope);
      out.magnitude = static_cast<float>(yarn_magnitude(rope));
      break;
    case RopeScaling::kLlama3:
      scale_llama3(frequencies, rope);
      break;
  }
  CHECK(divisors.empty() || divisors.size() == frequencies.size(), "{} divisors for {} planes", divisors.size(),
        frequencies.size());
  for (size_t i = 0; i < divisors.size(); i++) frequencies[i] /= divisors[i];
  out.inverse.assign(frequencies.begin(), frequencies.end());
  return out;
}

std::vector<float> llama3_divisors(const RopeConfig& rope) {
  std::vector<double> plain = plain_frequencies(rope), scaled = plain;
  scale_llama3(scaled, rope);
  std::vector<float> divisors(plain.size());
  for (size_t i = 0; i < plain.size(); i++) divisors[i] = static_cast<float>(plain[i] / scaled[i]);
  return divisors;
}

void rope_angles(float* cos, float* sin, const int64_t* positions, int64_t n, const RopeFrequencies& frequencies) {
  int64_t half = static_cast<int64_t>(frequencies.inverse.size());
  for (int64_t t = 0; t < n; t++) {
    float position = static_cast<float>(positions[t]);
    for (int64_t i = 0; i < half; i++) {
      // The f32 product is part of the definition: checkpoints were trained with its rounding at long positions.
      double angle = static_cast<double>(position * frequencies.inverse[static_cast<size_t>(i)]);
      cos[t * half + i] = static_cast<float>(std::cos(angle)) * frequencies.magnitude;
      sin[t * half + i] = static_cast<float>(std::sin(angle)) * frequencies.magnitude;
    }
  }
}

}  // namespace minke
