// The inner loops of the searches: kLanes candidates side by side, each summing over the elements of a block in order, so that
// the width of the machine's vectors changes nothing. Compiled once per instruction set, each copy in an unnamed namespace.
#pragma once

#include <cstdint>
#include <cstring>

namespace minke {
namespace {

constexpr int kLanes = 16;

#if defined(__AVX512F__)
constexpr int kWidth = 16;
#elif defined(__AVX2__)
constexpr int kWidth = 8;
#else
constexpr int kWidth = 4;
#endif
typedef float Floats __attribute__((vector_size(kWidth * sizeof(float))));  // a candidate per element

inline Floats load(const float* p) {
  Floats v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}
inline void store(float* p, Floats v) { std::memcpy(p, &v, sizeof(v)); }
inline Floats broadcast(float value) { return value - Floats{}; }

template <typename T>
inline T least(T a, T b) {
  return a < b ? a : b;
}
template <typename T>
inline T greatest(T a, T b) {
  return a > b ? a : b;
}

// To the nearest integer, ties to even, for |v| < 2^22: the sum has no bits left for a fraction.
template <typename T>
inline T round_small(T v) {
  constexpr float kShift = 12582912.0f;  // 1.5 * 2^23
  return (v + kShift) - kShift;
}

// Codebooks: the level that is nearest to a value already divided by the scale, and the code of a level.
template <int lowest, int highest>
struct UniformLevels {
  static constexpr float kLowest = lowest, kHighest = highest;
  static Floats nearest(Floats t) { return round_small(least(greatest(t, broadcast(kLowest)), broadcast(kHighest))); }
  static float nearest(float t) { return round_small(least(greatest(t, kLowest), kHighest)); }
  static uint8_t code(float level) { return static_cast<uint8_t>(static_cast<int>(level) - lowest); }
};

struct Iq4Levels {
  static constexpr float kLowest = -127, kHighest = 113;
  static constexpr float kLevels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
  template <typename T>
  static T pick(T t, T level, const T zero) {
    for (int k = 0; k < 15; k++) {
      const float middle = (kLevels[k] + kLevels[k + 1]) / 2;
      level += t > middle ? zero + (kLevels[k + 1] - kLevels[k]) : zero;
    }
    return level;
  }
  static Floats nearest(Floats t) { return pick(t, broadcast(kLowest), Floats{}); }
  static float nearest(float t) { return pick(t, kLowest, 0.0f); }
  static uint8_t code(float level) {
    uint8_t code = 0;
    while (kLevels[code] != level) code++;
    return code;
  }
};

// A lane's x ~ (a / b) * level: the least error it can have is sum of w x^2, less a^2 / b.
struct ScaleSums {
  float a[kLanes], b[kLanes];  // sums of w x level and of w level^2
};

template <typename Levels>
inline void sum_scale(ScaleSums& sums, const float* x, const float* w, int n, const float* inverse) {
  for (int part = 0; part < kLanes; part += kWidth) {
    const Floats inverses = load(inverse + part);
    Floats a{}, b{};
    for (int i = 0; i < n; i++) {
      const Floats level = Levels::nearest(inverses * x[i]);
      const Floats weighted = level * w[i];
      a += weighted * x[i];
      b += weighted * level;
    }
    store(sums.a + part, a);
    store(sums.b + part, b);
  }
}

// A lane's x ~ d q - m.
struct AffineSums {
  float q[kLanes], qq[kLanes], qx[kLanes];  // sums of w q, w q^2, w q x
};

template <int highest>
inline void sum_affine(AffineSums& sums, const float* x, const float* w, int n, const float* inverse, const float* min) {
  using Levels = UniformLevels<0, highest>;
  for (int part = 0; part < kLanes; part += kWidth) {
    const Floats inverses = load(inverse + part), mins = load(min + part);
    Floats q{}, qq{}, qx{};
    for (int i = 0; i < n; i++) {
      const Floats level = Levels::nearest((mins + x[i]) * inverses);
      const Floats weighted = level * w[i];
      q += weighted;
      qq += weighted * level;
      qx += weighted * x[i];
    }
    store(sums.q + part, q);
    store(sums.qq + part, qq);
    store(sums.qx + part, qx);
  }
}

// Weighted squared errors of x ~ scale * level - min.
template <typename Levels>
inline void sum_errors(float* errors, const float* x, const float* w, int n, const float* scale, const float* inverse,
                       const float* min) {
  for (int part = 0; part < kLanes; part += kWidth) {
    const Floats scales = load(scale + part), inverses = load(inverse + part), mins = load(min + part);
    Floats sum{};
    for (int i = 0; i < n; i++) {
      const Floats level = Levels::nearest((mins + x[i]) * inverses);
      const Floats difference = (mins + x[i]) - scales * level;
      sum += difference * difference * w[i];
    }
    store(errors + part, sum);
  }
}

inline float inverse_or_zero(float value) { return value != 0 ? 1.0f / value : 0.0f; }

// The nearest value of binary16. Past its range: 65536 or more.
inline float round_to_f16(float value) {
  const float magnitude = value < 0 ? -value : value;
  float rounded = (magnitude + 0.5f) - 0.5f;  // below 2^-14: one unit in the last place of [0.5, 1) is 2^-24
  if (magnitude >= 0x1p-14f) {
    const uint32_t bits = __builtin_bit_cast(uint32_t, magnitude);
    rounded = __builtin_bit_cast(float, (bits + 0xFFF + ((bits >> 13) & 1)) & ~0x1FFFu);
  }
  return value < 0 ? -rounded : rounded;
}

// For scales: the smallest one instead of zero, with which small integers and codes may still say something.
inline float round_scale_to_f16(float value) {
  const float rounded = round_to_f16(value);
  if (rounded != 0 || value == 0) return rounded;
  return value < 0 ? -0x1p-24f : 0x1p-24f;
}

constexpr float kLargestF16 = 65504.0f;
inline bool fits_f16(float value) { return value <= kLargestF16 && value >= -kLargestF16; }

// Below half of the smallest scale all levels but zero are too far away.
constexpr float kSmallestValue = 0x1p-25f;
// No format reaches further: 65504 * 128 * 32. Sums of squares of such values stay far below f32's range.
constexpr float kLargestValue = 268304384.0f;

inline float largest_magnitude(const float* x, int n) {
  float largest = 0;
  for (int i = 0; i < n; i++) largest = greatest(largest, x[i] < 0 ? -x[i] : x[i]);
  return largest;
}

}  // namespace
}  // namespace minke
