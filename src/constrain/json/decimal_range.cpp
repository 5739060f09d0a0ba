#include "constrain/json/decimal_range.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <tuple>

namespace minke::constrain {
namespace {

constexpr int kMaxScale = 12;            // digits after the point of a bound
constexpr int kFreeScale = 9;            // ... of a number whose bounds have fewer
constexpr int kMaxIntegerDigits = 18;    // of an integer without bounds
constexpr int kMaxNumberDigits = 15;     // of another number, before the point
constexpr Int128 kMaxMultiple = 10'000;  // the automaton has a state for every remainder at every digit

Int128 power_of_10(int n) {
  Int128 value = 1;
  for (int i = 0; i < n; i++) value *= 10;
  return value;
}

std::string digits_of(Int128 value, size_t n) {
  std::string digits(n, '0');
  for (size_t i = n; i-- > 0; value /= 10) digits[i] = static_cast<char>('0' + static_cast<int>(value % 10));
  return digits;
}

// The magnitudes low .. high, in units of 10^-scale, that are multiples of `multiple` units.
class MagnitudeGraph {
 public:
  MagnitudeGraph(Expressions& expressions, Int128 low, Int128 high, int scale, Int128 multiple)
      : expressions_(expressions), low_(low), high_(high), scale_(scale), multiple_(multiple), graph_(1) {}

  NodeId build() {
    for (int n = 1; power_of_10(n - 1 + scale_) <= high_ || n == 1; n++) add_length(n);
    return expressions_.graph(std::move(graph_));
  }

 private:
  // A place in the digits of numbers with n_integer_digits before the point. While what was written equals the first digits of
  // the lower (upper) bound, the next digit is bounded by it.
  struct Place {
    int n_left;           // digits still to come if all of the fraction is written
    bool is_after_point;  // the point was written, and nothing after it
    bool at_low, at_high;
    int n_integer_digits;  // 0 once no bound is near: then all lengths go on alike
    int64_t remainder;
    auto operator<=>(const Place&) const = default;
  };

  void add_length(int n) {
    Int128 low = std::max(low_, n == 1 ? Int128{0} : power_of_10(n - 1 + scale_));
    Int128 high = std::min(high_, power_of_10(n + scale_) - 1);
    if (low > high) return;
    auto n_digits = static_cast<size_t>(n + scale_);
    low_digits_ = digits_of(low, n_digits);
    high_digits_ = digits_of(high, n_digits);
    Place first{static_cast<int>(n_digits), false, true, true, n, 0};
    states_[first] = 0;  // all lengths start in one state
    std::vector<Place> open = {first};
    while (!open.empty()) {
      Place place = open.back();
      open.pop_back();
      expand(place, n, open);
    }
  }

  int32_t state_of(Place place, std::vector<Place>& open) {
    if (!place.at_low && !place.at_high) place.n_integer_digits = 0;
    auto [it, is_new] = states_.try_emplace(place, 0);
    if (is_new) {
      it->second = graph_.add_state();
      open.push_back(place);
    }
    return it->second;
  }

  void expand(const Place& place, int n_integer_digits, std::vector<Place>& open) {
    int32_t from = states_.at(place);
    size_t n_digits = low_digits_.size();
    size_t at = n_digits - static_cast<size_t>(place.n_left);
    bool has_integer = place.n_left <= scale_;
    if (has_integer && !place.is_after_point && is_allowed_end(place, at)) graph_.is_final[static_cast<size_t>(from)] = true;
    if (place.n_left == 0) return;
    if (place.n_left == scale_ && !place.is_after_point) {
      Place next = place;
      next.is_after_point = true;
      graph_.edges.push_back({from, label('.', '.'), state_of(next, open)});
      return;
    }
    int lowest = place.at_low ? low_digits_[at] - '0' : 0;
    int highest = place.at_high ? high_digits_[at] - '0' : 9;
    // Digits that lead to the same place share an edge.
    for (int digit = lowest; digit <= highest;) {
      Place next = after(place, digit, lowest, highest, n_integer_digits);
      int last = digit;
      while (last + 1 <= highest && after(place, last + 1, lowest, highest, n_integer_digits) == next) last++;
      graph_.edges.push_back(
          {from, label(static_cast<char>('0' + digit), static_cast<char>('0' + last)), state_of(next, open)});
      digit = last + 1;
    }
  }

  Place after(const Place& place, int digit, int lowest, int highest, int n_integer_digits) const {
    Place next = place;
    next.n_left--;
    next.is_after_point = false;
    next.at_low = place.at_low && digit == lowest;
    next.at_high = place.at_high && digit == highest;
    next.n_integer_digits = next.at_low || next.at_high ? n_integer_digits : 0;
    if (multiple_ > 0) next.remainder = static_cast<int64_t>((Int128{place.remainder} * 10 + digit) % multiple_);
    return next;
  }

  // Digits that are not written are zeros: the upper bound holds, the lower one if all that is left of it are zeros.
  bool is_allowed_end(const Place& place, size_t at) const {
    if (place.at_low && low_digits_.find_first_not_of('0', at) != std::string::npos) return false;
    return multiple_ == 0 || Int128{place.remainder} * (power_of_10(place.n_left) % multiple_) % multiple_ == 0;
  }

  NodeId label(char first, char last) {
    auto [it, is_new] = labels_.try_emplace({first, last}, -1);
    if (is_new) it->second = expressions_.chars({{static_cast<char32_t>(first), static_cast<char32_t>(last)}});
    return it->second;
  }

  Expressions& expressions_;
  Int128 low_, high_;
  int scale_;
  Int128 multiple_;  // 0: any
  Graph graph_;
  std::map<Place, int32_t> states_;
  std::map<std::pair<char, char>, NodeId> labels_;
  std::string low_digits_, high_digits_;  // of the length being added
};

Int128 divide_down(Int128 a, Int128 b) { return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0); }

// A bound in units of 10^-scale, moved inwards to a whole number of them.
Int128 low_units(const Decimal& bound, int scale, bool is_excluded) {
  if (bound.scale <= scale) return bound.units * power_of_10(scale - bound.scale) + (is_excluded ? 1 : 0);
  Int128 step = power_of_10(bound.scale - scale);
  bool is_whole = bound.units % step == 0;
  return divide_down(bound.units, step) + (is_whole && !is_excluded ? 0 : 1);
}

Int128 high_units(const Decimal& bound, int scale, bool is_excluded) {
  return -low_units({-bound.units, bound.scale}, scale, is_excluded);
}

}  // namespace

std::optional<Decimal> decimal_of(const Json& number) {
  // The shortest decimal that reads as this number, which is what its author wrote.
  std::string text = number.is_number_float() ? fmt::format("{}", number.get<double>()) : dump_json(number);
  int exponent = 0;
  if (size_t e = text.find('e'); e != std::string::npos) {
    const char* begin = text.data() + e + 1 + (text[e + 1] == '+' ? 1 : 0);
    if (std::from_chars(begin, text.data() + text.size(), exponent).ec != std::errc{}) return std::nullopt;
    text.resize(e);
  }
  bool is_negative = text.starts_with("-");
  Decimal decimal;
  decimal.scale = -exponent;
  bool is_fraction = false;
  for (char c : text.substr(is_negative ? 1 : 0)) {
    if (c == '.') {
      is_fraction = true;
      continue;
    }
    if (c < '0' || c > '9') return std::nullopt;
    decimal.units = decimal.units * 10 + (c - '0');
    decimal.scale += is_fraction ? 1 : 0;
  }
  while (decimal.scale > 0 && decimal.units % 10 == 0) decimal.units /= 10, decimal.scale--;
  if (decimal.units == 0) decimal.scale = 0;
  if (decimal.scale > kMaxScale || decimal.scale < -kMaxIntegerDigits) return std::nullopt;
  for (; decimal.scale < 0; decimal.scale++) decimal.units *= 10;
  if (decimal.units > power_of_10(kMaxIntegerDigits + decimal.scale)) return std::nullopt;
  if (is_negative) decimal.units = -decimal.units;
  return decimal;
}

Result<NodeId> decimal_range(Expressions& expressions, const DecimalRange& range) {
  int scale = 0;
  if (!range.is_integer) {
    for (const auto& bound : {range.min, range.max, range.multiple_of}) scale = bound ? std::max(scale, bound->scale) : scale;
    if (!range.multiple_of) scale = std::max(scale, kFreeScale);
  }
  Int128 multiple = 0;
  if (range.multiple_of) {
    Int128 units = range.multiple_of->units;
    int at_scale = range.multiple_of->scale;
    if (at_scale <= scale) {
      multiple = units * power_of_10(scale - at_scale);
    } else {  // integers that are multiples of units / 10^at_scale
      Int128 step = power_of_10(at_scale), a = units, b = step;
      while (b != 0) std::tie(a, b) = std::make_tuple(b, a % b);
      multiple = units / a;
    }
    if (multiple > kMaxMultiple) {
      return error("numbers of so large a multiple cannot be followed; at most {} in units of the last digit",
                   static_cast<int64_t>(kMaxMultiple));
    }
  }
  Int128 largest = power_of_10((range.is_integer ? kMaxIntegerDigits : kMaxNumberDigits) + scale) - 1;
  Int128 low = range.min ? low_units(*range.min, scale, range.excludes_min) : -largest;
  Int128 high = range.max ? high_units(*range.max, scale, range.excludes_max) : largest;
  low = std::max(low, -largest);
  high = std::min(high, largest);
  if (low > high) return error("no number is within the bounds");
  std::vector<NodeId> parts;
  if (high >= 0) parts.push_back(MagnitudeGraph(expressions, std::max<Int128>(low, 0), high, scale, multiple).build());
  if (low < 0) {
    NodeId magnitude = MagnitudeGraph(expressions, std::max<Int128>(-high, 1), -low, scale, multiple).build();
    parts.push_back(expressions.sequence({expressions.bytes("-"), magnitude}));
  }
  return expressions.choice(std::move(parts));
}

}  // namespace minke::constrain
