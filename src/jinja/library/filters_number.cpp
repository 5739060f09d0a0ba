// Filters about numbers.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "jinja/library/filters.h"
#include "jinja/value/operators.h"
#include "jinja/value/repr.h"
#include "jinja/value/text.h"

namespace minke::jinja {

namespace {

Result<Value> absolute(Runtime& runtime, const Value& self, const Arguments&) {
  TRY(require_defined(self));
  if (!self.is_number()) return error("bad operand type for abs(): '{}'", type_name(self));
  if (self.is(Kind::kFloat)) return Value(std::fabs(self.number()));
  return runtime.integer(self.integer() < 0 ? -self.integer() : self.integer());
}

// Underscores are allowed between digits only.
std::optional<std::string> without_underscores(std::string_view text) {
  std::string out;
  auto is_digit_at = [&](size_t i) { return i < text.size() && std::isalnum(static_cast<unsigned char>(text[i])) != 0; };
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
    } else if (i == 0 || !is_digit_at(i - 1) || !is_digit_at(i + 1)) {
      return std::nullopt;
    }
  }
  return out;
}

// int(text, base) of Python; none when it is no number, an error when it is too large.
Result<std::optional<Int>> parse_integer(std::string_view text, Int base) {
  if (base != 0 && (base < 2 || base > 36)) return error("int: base must be 0 or from 2 to 36");
  text = strip(text, Side::kBoth);
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const char mark = text.size() > 2 && text[0] == '0' ? static_cast<char>(text[1] | 0x20) : '\0';
  const Int marked_base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
  if (marked_base != 0 && (base == 0 || base == marked_base)) {
    text.remove_prefix(text[2] == '_' ? 3 : 2);
    base = marked_base;
  }
  if (base == 0) base = 10;
  const auto digits = without_underscores(text);
  if (!digits || digits->empty()) return std::optional<Int>();
  Int value = 0;
  bool too_large = false;
  for (char c : *digits) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'z' ? c - 'a' + 10
                      : c >= 'A' && c <= 'Z' ? c - 'A' + 10
                                             : 99;
    if (digit >= base) return std::optional<Int>();
    if (!too_large) value = value * base + digit;
    too_large = too_large || value > kMaxInt;
  }
  if (too_large) return error("int: the number is too large");
  return std::optional(negative ? -value : value);
}

// float(text) of Python.
std::optional<double> parse_float(std::string_view text) {
  const auto plain = without_underscores(strip(text, Side::kBoth));
  if (!plain) return std::nullopt;
  std::string_view rest = *plain;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  const bool is_digits = !rest.empty() && (rest[0] == '.' || (rest[0] >= '0' && rest[0] <= '9'));
  const std::string lower = to_lower(rest);
  double value = 0;
  if (lower == "inf" || lower == "infinity") {
    value = INFINITY;
  } else if (lower == "nan") {
    value = NAN;
  } else if (is_digits) {
    const auto [end, status] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (end != rest.data() + rest.size()) return std::nullopt;
    if (status == std::errc::result_out_of_range) value = std::strtod(std::string(rest).c_str(), nullptr);
  } else {
    return std::nullopt;
  }
  return negative ? -value : value;
}

Result<Value> truncated(Runtime& runtime, double d) {
  if (std::isinf(d)) return error("cannot convert float infinity to integer");
  if (std::fabs(d) > 1e25) return error("integer outside -2^63 .. 2^64-1");
  return runtime.integer(static_cast<Int>(std::trunc(d)));
}

Result<Value> to_int(Runtime& runtime, const Value& self, const Arguments& args) {
  TRY(require_defined(self));
  const Value fallback = args.has(0) ? args.at(0) : Value(Int{0});
  if (self.is_integral()) return Value(self.integer());
  if (self.is(Kind::kFloat)) return std::isnan(self.number()) ? Result<Value>(fallback) : truncated(runtime, self.number());
  if (!self.is_string()) return fallback;
  TRY(runtime.touch(self.text().size()));
  const Int base = TRY(args.integer(1, 10));
  const auto whole = TRY(parse_integer(self.text(), base));
  if (whole) return runtime.integer(*whole);
  const auto real = parse_float(self.text());
  if (!real || !std::isfinite(*real)) return fallback;
  return truncated(runtime, *real);
}

Result<Value> to_float(Runtime& runtime, const Value& self, const Arguments& args) {
  TRY(require_defined(self));
  if (self.is_number()) return Value(self.number());
  TRY(runtime.touch(self.is_string() ? self.text().size() : 0));
  if (const auto real = self.is_string() ? parse_float(self.text()) : std::nullopt) return Value(*real);
  return args.has(0) ? args.at(0) : Value(0.0);
}

// round(number, digits) of Python: the decimal text of the exact value decides, and half goes to the even digit.
double round_half_even(double number, int digits) {
  if (!std::isfinite(number) || digits > 323) return number;
  if (digits < -308) return std::copysign(0.0, number);
  if (digits < 0) {
    const double scale = std::pow(10.0, -digits);
    return std::nearbyint(number / scale) * scale;
  }
  char text[800];
  const auto end = std::to_chars(text, text + sizeof text, number, std::chars_format::fixed, digits).ptr;
  double rounded = 0;
  std::from_chars(text, end, rounded);
  return rounded;
}

Result<Value> round(Runtime& runtime, const Value& self, const Arguments& args) {
  const Int given = TRY(args.integer(0, 0));
  const int digits = static_cast<int>(std::clamp<Int>(given, -400, 400));
  const std::string_view method = TRY(args.text(1, "common"));
  TRY(require_defined(self));
  if (!self.is_number()) return error("round needs a number, not {}", type_name(self));
  if (method == "common") {
    if (self.is(Kind::kFloat)) return Value(round_half_even(self.number(), digits));
    if (digits >= 0) return Value(self.integer());
    if (digits < -19) return Value(Int{0});
    Int scale = 1;
    for (int i = 0; i < -digits; ++i) scale *= 10;
    const Int magnitude = self.integer() < 0 ? -self.integer() : self.integer();
    Int quotient = magnitude / scale;
    const Int twice = 2 * (magnitude % scale);
    if (twice > scale || (twice == scale && quotient % 2 == 1)) ++quotient;
    return runtime.integer(quotient * scale * (self.integer() < 0 ? -1 : 1));
  }
  if (method != "ceil" && method != "floor") return error("round: method must be common, ceil or floor");
  const double scale = std::pow(10.0, digits), scaled = self.number() * scale;
  return Value((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale);
}

Result<Value> filesizeformat(Runtime& runtime, const Value& self, const Arguments& args) {
  TRY(require_defined(self));
  const auto parsed = self.is_number()   ? std::optional(self.number())
                      : self.is_string() ? parse_float(self.text())
                                         : std::nullopt;
  if (!parsed) return error("filesizeformat needs a number, not {}", type_name(self));
  const bool binary = args.flag(0, false);
  const double base = binary ? 1024 : 1000;
  if (*parsed == 1) return runtime.string("1 Byte");
  if (*parsed < base) return runtime.string(fmt::format("{} Bytes", static_cast<int64_t>(*parsed)));
  constexpr std::string_view kLetters = "kMGTPEZY";
  double scale = base;
  size_t i = 0;
  while (i + 1 < kLetters.size() && *parsed >= scale * base) scale *= base, ++i;
  const char letter = binary && i == 0 ? 'K' : kLetters[i];
  return runtime.string(fmt::format("{:.1f} {}{}B", *parsed / scale, letter, binary ? "i" : ""));
}

constexpr FunctionRow kNumberFilters[] = {
    {"abs", absolute},
    {"filesizeformat", filesizeformat, {"binary"}},
    {"float", to_float, {"default"}},
    {"int", to_int, {"default", "base"}},
    {"round", round, {"precision", "method"}},
};

}  // namespace

std::span<const FunctionRow> number_filters() { return kNumberFilters; }

}  // namespace minke::jinja
