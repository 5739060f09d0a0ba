// docs.python.org/3/library/stdtypes.html#printf-style-string-formatting and library/string.html#formatspec.
#include "jinja/library/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/markup.h"
#include "jinja/value/operators.h"
#include "jinja/value/repr.h"
#include "jinja/value/text.h"

namespace minke::jinja {

namespace {

constexpr size_t kMaxWidth = 100'000;

struct Spec {
  std::string fill = " ";
  char align = '\0';  // one of < > ^ =
  char sign = '-';
  bool alternate = false;
  size_t width = 0;
  char grouping = '\0';
  std::optional<size_t> precision;
  char type = '\0';
};

Result<size_t> read_size(std::string_view& text) {
  size_t n = 0;
  while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
    n = n * 10 + static_cast<size_t>(text[0] - '0');
    if (n > kMaxWidth) return error("a format wider than {}", kMaxWidth);
    text.remove_prefix(1);
  }
  return n;
}

std::string padded(std::string text, const Spec& spec, char default_align, size_t n_sign) {
  const size_t n_chars = count_chars(text);
  if (n_chars >= spec.width) return text;
  const size_t missing = spec.width - n_chars;
  const char align = spec.align == '\0' ? default_align : spec.align;
  const size_t before = align == '<' || align == '=' ? 0 : align == '^' ? missing / 2 : missing;
  std::string out;
  for (size_t i = 0; i < before; ++i) out += spec.fill;
  if (align == '=') {
    out += text.substr(0, n_sign);
    for (size_t i = 0; i < missing; ++i) out += spec.fill;
    return out += text.substr(n_sign);
  }
  out += text;
  for (size_t i = before; i < missing; ++i) out += spec.fill;
  return out;
}

std::string grouped(const std::string& digits, char separator, size_t group) {
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % group == 0) out += separator;
    out += digits[i];
  }
  return out;
}

std::string sign_of(bool negative, char style) {
  if (negative) return "-";
  return style == '-' ? std::string() : std::string(1, style);
}

Result<Value> whole(Runtime& runtime, const Value& value) {
  if (value.is_integral()) return Value(value.integer());
  if (!std::isfinite(value.number()) || std::fabs(value.number()) > 1e18)
    return error("float out of range for an integer format");
  return runtime.integer(static_cast<Int>(value.number()));
}

std::string format_integer(Int number, const Spec& spec) {
  const bool negative = number < 0;
  const auto magnitude = static_cast<unsigned __int128>(negative ? -number : number);
  std::string digits, prefix;
  switch (spec.type) {
    case 'x':
      digits = fmt::format("{:x}", magnitude);
      prefix = "0x";
      break;
    case 'X':
      digits = fmt::format("{:X}", magnitude);
      prefix = "0X";
      break;
    case 'o':
      digits = fmt::format("{:o}", magnitude);
      prefix = "0o";
      break;
    case 'b':
      digits = fmt::format("{:b}", magnitude);
      prefix = "0b";
      break;
    default:
      digits = fmt::format("{}", magnitude);
  }
  if (spec.precision && digits.size() < *spec.precision) digits.insert(0, *spec.precision - digits.size(), '0');
  if (spec.grouping != '\0') digits = grouped(digits, spec.grouping, prefix.empty() ? 3 : 4);
  const std::string head = sign_of(negative, spec.sign) + (spec.alternate ? prefix : "");
  return padded(head + digits, spec, '>', head.size());
}

std::string format_float(double number, const Spec& spec) {
  const std::string sign = sign_of(std::signbit(number) && !std::isnan(number), spec.sign);
  const double magnitude = std::fabs(number);
  char type = spec.type == '\0' ? 'g' : spec.type;
  const bool percent = type == '%';
  if (percent) type = 'f';
  std::string text;
  if (!std::isfinite(magnitude)) {
    text = std::isnan(magnitude) ? "nan" : "inf";
    if (type == 'F' || type == 'E' || type == 'G') std::transform(text.begin(), text.end(), text.begin(), ::toupper);
  } else if (spec.type == '\0' && !spec.precision) {
    text = float_repr(magnitude);
  } else {
    const int precision = static_cast<int>(std::min<size_t>(spec.precision.value_or(6), 1000));
    text = fmt::format(fmt::runtime(fmt::format("{{:{}.{}{}}}", spec.alternate ? "#" : "", precision, type)),
                       percent ? magnitude * 100 : magnitude);
  }
  if (spec.grouping != '\0') {
    const size_t n_whole = std::min(text.find_first_not_of("0123456789"), text.size());
    text = grouped(text.substr(0, n_whole), spec.grouping, 3) + text.substr(n_whole);
  }
  if (percent) text += '%';
  return padded(sign + text, spec, '>', sign.size());
}

std::string format_text(std::string text, const Spec& spec) {
  if (spec.precision) text.resize(byte_offset(text, *spec.precision));
  return padded(std::move(text), spec, '<', 0);
}

// One value under a format specification; which types of value a type letter takes is the same for % and {}.
Result<std::string> format_value(Runtime& runtime, const Value& value, const Spec& spec) {
  constexpr std::string_view kIntegers = "dixXobc", kFloats = "eEfFgG%";
  TRY(runtime.reserve(spec.width * spec.fill.size()));
  TRY(runtime.touch(spec.width));
  if (spec.type == 's' || (spec.type == '\0' && !value.is(Kind::kInt) && !value.is(Kind::kFloat))) {
    return format_text(TRY(to_text(runtime, value)), spec);
  }
  if (!value.is_number()) return error("the format '{}' needs a number, not {}", spec.type, type_name(value));
  if (kFloats.find(spec.type) != std::string_view::npos || (spec.type == '\0' && value.is(Kind::kFloat))) {
    return format_float(value.number(), spec);
  }
  if (spec.type == 'c' || (spec.type != '\0' && kIntegers.find(spec.type) == std::string_view::npos)) {
    return error("the format '{}' is not supported", spec.type);
  }
  const Value number = TRY(whole(runtime, value));
  return format_integer(number.integer(), spec);
}

// What a % conversion takes its value from: a tuple in order, a dict by name, or a single value.
class PercentValues {
 public:
  explicit PercentValues(const Value& values) : values_(values) {}

  Result<Value> next() {
    const bool is_tuple = values_.is(Kind::kSequence) && values_.sequence().is_tuple();
    const size_t count = is_tuple ? values_.sequence().items.size() : 1;
    if (n_used_ >= count) return error("not enough arguments for format string");
    return is_tuple ? values_.sequence().items[n_used_++] : (++n_used_, values_);
  }

  Result<Value> named(std::string_view name) {
    if (!values_.is(Kind::kDict)) return error("format requires a mapping");
    n_used_ = 1;
    const Value* held = values_.dict().find(name);
    if (held == nullptr) return error("format: no value '{}'", name);
    return *held;
  }

  Status check_all_used() const {
    // A value that can be looked into could have been meant for names.
    const bool is_tuple = values_.is(Kind::kSequence) && values_.sequence().is_tuple();
    if (values_.is(Kind::kDict) || values_.is(Kind::kUndefined) || (values_.is(Kind::kSequence) && !is_tuple)) return {};
    const size_t count = is_tuple ? values_.sequence().items.size() : 1;
    if (n_used_ < count) return error("not all arguments converted during string formatting");
    return {};
  }

 private:
  const Value& values_;
  size_t n_used_ = 0;
};

// Width and precision of a % conversion, where * takes the next value.
Result<size_t> percent_size(std::string_view& format, PercentValues& values) {
  if (!format.starts_with('*')) return read_size(format);
  format.remove_prefix(1);
  const Value value = TRY(values.next());
  if (!value.is_integral() || value.integer() < 0 || value.integer() > static_cast<Int>(kMaxWidth)) {
    return error("* in a format needs an integer from 0 to {}", kMaxWidth);
  }
  return static_cast<size_t>(value.integer());
}

// After the % sign: flags, width, precision and type; the value is converted and appended.
Status percent_conversion(Runtime& runtime, std::string_view& format, PercentValues& values, bool escapes, std::string& out) {
  std::optional<Value> value;
  if (format.starts_with('(')) {
    const size_t close = format.find(')');
    if (close == std::string_view::npos) return error("incomplete format key");
    value = TRY(values.named(format.substr(1, close - 1)));
    format.remove_prefix(close + 1);
  }
  Spec spec;
  spec.align = '>';
  bool left = false, zeros = false;
  for (; !format.empty() && std::string_view("-+ 0#").find(format[0]) != std::string_view::npos; format.remove_prefix(1)) {
    if (format[0] == '-') left = true;
    if (format[0] == '0') zeros = true;
    if (format[0] == '#') spec.alternate = true;
    if (format[0] == '+' || (format[0] == ' ' && spec.sign != '+')) spec.sign = format[0];
  }
  spec.width = TRY(percent_size(format, values));
  if (format.starts_with('.')) {
    format.remove_prefix(1);
    spec.precision = TRY(percent_size(format, values));
  }
  while (!format.empty() && (format[0] == 'l' || format[0] == 'h' || format[0] == 'L')) format.remove_prefix(1);
  if (format.empty()) return error("incomplete format");
  spec.type = format[0];
  format.remove_prefix(1);
  if (spec.type == '%') {
    out += '%';
    return {};
  }
  if (!value) value = TRY(values.next());
  if (left) spec.align = '<';
  if (spec.type == 'i' || spec.type == 'u') spec.type = 'd';
  if (spec.type == 'r' || spec.type == 's') {
    std::string text = spec.type == 'r' ? TRY(to_repr(runtime, *value)) : TRY(to_text(runtime, *value));
    if (escapes && !(value->is_string() && value->string().is_markup)) text = escape_markup(text);
    out += format_text(std::move(text), spec);
    return {};
  }
  if (zeros && !left) {
    spec.fill = "0";
    spec.align = '=';
  }
  out += TRY(format_value(runtime, *value, spec));
  return {};
}

Result<Spec> parse_spec(std::string_view text) {
  Spec spec;
  const size_t n_first = text.empty() ? 0 : byte_offset(text, 1);
  auto is_align = [&](size_t at) {
    return at < text.size() && std::string_view("<>^=").find(text[at]) != std::string_view::npos;
  };
  if (n_first > 0 && is_align(n_first)) {
    spec.fill = text.substr(0, n_first);
    spec.align = text[n_first];
    text.remove_prefix(n_first + 1);
  } else if (is_align(0)) {
    spec.align = text[0];
    text.remove_prefix(1);
  }
  if (!text.empty() && (text[0] == '+' || text[0] == '-' || text[0] == ' ')) {
    spec.sign = text[0];
    text.remove_prefix(1);
  }
  if (text.starts_with('#')) {
    spec.alternate = true;
    text.remove_prefix(1);
  }
  if (text.starts_with('0')) {
    if (spec.align == '\0') spec.align = '=', spec.fill = "0";
    text.remove_prefix(1);
  }
  spec.width = TRY(read_size(text));
  if (!text.empty() && (text[0] == ',' || text[0] == '_')) {
    spec.grouping = text[0];
    text.remove_prefix(1);
  }
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (text.empty() || text[0] < '0' || text[0] > '9') return error("format specifier missing precision");
    spec.precision = TRY(read_size(text));
  }
  if (text.size() > 1) return error("invalid format specifier");
  if (text.size() == 1) spec.type = text[0];
  return spec;
}

// Which value a field {name!r:spec} names.
class BraceValues {
 public:
  explicit BraceValues(const CallArguments& values) : values_(values) {}

  Result<Value> find(std::string_view name) {
    if (name.find_first_of(".[") != std::string_view::npos)
      return error("format: '{}' reaches into its value, which is not allowed", name);
    if (name.empty()) return at(n_automatic_++);
    if (name.find_first_not_of("0123456789") == std::string_view::npos) {
      return at(TRY(read_size(name)));
    }
    for (const auto& [key, value] : values_.named) {
      if (key->text == name) return value;
    }
    return error("format: no value '{}'", name);
  }

 private:
  Result<Value> at(size_t index) const {
    if (index >= values_.positional.size()) return error("format: no value {}", index);
    return values_.positional[index];
  }

  const CallArguments& values_;
  size_t n_automatic_ = 0;
};

Result<std::string> brace_field(Runtime& runtime, std::string_view field, BraceValues& values, bool escapes) {
  const size_t colon = field.find(':');
  std::string_view name = field.substr(0, colon);
  const std::string_view spec_text = colon == std::string_view::npos ? std::string_view() : field.substr(colon + 1);
  if (spec_text.find('{') != std::string_view::npos) return error("format: nested fields are not supported");
  char conversion = '\0';
  if (const size_t mark = name.find('!'); mark != std::string_view::npos) {
    if (mark + 2 != name.size() || (name[mark + 1] != 'r' && name[mark + 1] != 's')) return error("format: unknown conversion");
    conversion = name[mark + 1];
    name = name.substr(0, mark);
  }
  const Spec spec = TRY(parse_spec(spec_text));
  const Value value = TRY(values.find(name));
  const bool is_markup = value.is_string() && value.string().is_markup;
  std::string text;
  if (conversion != '\0') {
    text = format_text(conversion == 'r' ? TRY(to_repr(runtime, value)) : TRY(to_text(runtime, value)), spec);
  } else if (!spec_text.empty() && !value.is_string() && !value.is_number()) {
    return error("unsupported format string passed to {}", type_name(value));
  } else {
    text = value.is(Kind::kBool) && spec.type == '\0' && !spec_text.empty()
               ? TRY(format_value(runtime, Value(value.integer()), spec))
               : TRY(format_value(runtime, value, spec));
  }
  return escapes && !is_markup ? escape_markup(text) : text;
}

}  // namespace

Result<Value> format_percent(Runtime& runtime, const Value& format, const Value& values) {
  std::string_view rest = format.text();
  PercentValues source(values);
  std::string out;
  while (!rest.empty()) {
    const size_t percent = std::min(rest.find('%'), rest.size());
    out += rest.substr(0, percent);
    rest.remove_prefix(percent);
    if (rest.empty()) break;
    rest.remove_prefix(1);
    TRY(percent_conversion(runtime, rest, source, format.string().is_markup, out));
    TRY(runtime.reserve(out.size()));
  }
  TRY(source.check_all_used());
  return runtime.string_like(format, std::move(out));
}

Result<Value> format_braces(Runtime& runtime, const Value& format, const CallArguments& values) {
  std::string_view rest = format.text();
  BraceValues source(values);
  std::string out;
  while (!rest.empty()) {
    const size_t brace = std::min(rest.find_first_of("{}"), rest.size());
    out += rest.substr(0, brace);
    rest.remove_prefix(brace);
    if (rest.empty()) break;
    if (rest.size() > 1 && rest[0] == rest[1]) {
      out += rest[0];
      rest.remove_prefix(2);
      continue;
    }
    const size_t close = rest.find('}');
    if (rest[0] == '}' || close == std::string_view::npos) return error("format: single '{}'", rest[0]);
    out += TRY(brace_field(runtime, rest.substr(1, close - 1), source, format.string().is_markup));
    rest.remove_prefix(close + 1);
    TRY(runtime.reserve(out.size()));
  }
  return runtime.string_like(format, std::move(out));
}

}  // namespace minke::jinja
