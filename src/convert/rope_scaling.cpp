#include "convert/rope_scaling.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

#include "base/check.h"
#include "model/rope_table.h"

namespace minke {
namespace {

constexpr double kTolerance = 1e-6;

bool gives(const RopeConfig& rope, const std::vector<float>& divisors) {
  std::vector<float> made = llama3_divisors(rope);
  for (size_t i = 0; i < made.size(); i++) {
    if (!(std::abs(made[i] - divisors[i]) <= kTolerance * divisors[i])) return false;
  }
  return true;
}

// The original length that the plane with the most even blend asks for; none when no plane is blended.
std::optional<double> length_from_blend(const RopeConfig& rope, const std::vector<float>& divisors) {
  std::optional<double> length;
  double best = 0;
  for (size_t i = 0; i < divisors.size(); i++) {
    // 1 / divisor = (1 - smooth) / factor + smooth,  smooth = (length / wavelength - low) / (high - low)
    double smooth = (1.0 / divisors[i] - 1.0 / rope.factor) / (1.0 - 1.0 / rope.factor);
    double evenness = std::min(smooth, 1.0 - smooth);
    if (evenness < 1e-4 || evenness <= best) continue;
    best = evenness;
    double exponent = 2.0 * static_cast<double>(i) / static_cast<double>(rope.dim);
    double wavelength = 2.0 * std::numbers::pi * std::pow(rope.theta, exponent);
    length = wavelength * (rope.low_freq_factor + smooth * (rope.high_freq_factor - rope.low_freq_factor));
  }
  return length;
}

// Lengths worth trying: what a blended plane says, else powers of two, the published one first.
std::vector<double> candidate_lengths(const RopeConfig& rope, const std::vector<float>& divisors) {
  if (auto length = length_from_blend(rope, divisors)) return {std::round(*length)};
  std::vector<double> lengths = {8192};
  for (int power = 1; power <= 24; power++) lengths.push_back(std::ldexp(1.0, power));
  return lengths;
}

}  // namespace

Result<RopeConfig> recover_llama3(const RopeConfig& plain, const std::vector<float>& divisors) {
  CHECK(plain.scaling == RopeScaling::kNone && static_cast<int64_t>(divisors.size()) == plain.dim / 2, "{} divisors for {}",
        divisors.size(), plain.dim);
  float largest = *std::max_element(divisors.begin(), divisors.end());
  bool positive = std::all_of(divisors.begin(), divisors.end(), [](float d) { return d > 0 && std::isfinite(d); });
  if (positive && std::all_of(divisors.begin(), divisors.end(), [](float d) { return d == 1.0f; })) return plain;
  RopeConfig rope = plain;
  rope.scaling = RopeScaling::kLlama3;
  rope.factor = std::stod(fmt::format("{}", largest));
  rope.low_freq_factor = 1.0;
  // 4 in every published model.
  for (double high : {4.0, 2.0, 3.0, 5.0, 6.0, 8.0, 16.0, 32.0, 64.0}) {
    rope.high_freq_factor = high;
    if (!positive || !(rope.factor > 1.0)) break;
    for (double length : candidate_lengths(rope, divisors)) {
      rope.original_max_seq_len = length;
      if (length >= 1.0 && gives(rope, divisors)) return rope;
    }
  }
  return error(
      "the frequency divisors are not those of a \"llama3\" rope scaling, and config.json has no other way to say them");
}

}  // namespace minke
