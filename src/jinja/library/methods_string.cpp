// Methods of str. The search ones take start and stop as Python's do.
#include <algorithm>

#include "base/markup.h"
#include "base/utf8.h"
#include "jinja/library/format.h"
#include "jinja/library/methods.h"
#include "jinja/value/operators.h"
#include "jinja/value/repr.h"
#include "jinja/value/text.h"

namespace minke::jinja {

namespace {

// Text that is put into a Markup string is escaped, as markupsafe does.
Result<std::string> argument_text(const Value& self, const Arguments& args, size_t index) {
  const std::string_view text = TRY(args.text(index, ""));
  const bool escapes = self.string().is_markup && !(args.has(index) && args.at(index).string().is_markup);
  return escapes ? escape_markup(text) : std::string(text);
}

template <std::string (*Convert)(std::string_view)>
Result<Value> converted(Runtime& runtime, const Value& self, const Arguments&) {
  TRY(runtime.reserve(self.text().size() * 3));
  return runtime.string_like(self, Convert(self.text()));
}

template <Side side>
Result<Value> stripped(Runtime& runtime, const Value& self, const Arguments& args) {
  const auto set = TRY(args.optional_text(0));
  TRY(runtime.touch(self.text().size()));
  return runtime.string_like(self, std::string(strip(self.text(), side, set)));
}

// Every character (and at least one) has the property.
template <bool (*Has)(char32_t)>
Result<Value> all_chars(Runtime& runtime, const Value& self, const Arguments&) {
  TRY(runtime.touch(self.text().size()));
  const auto chars = code_points(self.text());
  return Value(!chars.empty() && std::all_of(chars.begin(), chars.end(), Has));
}

Result<Value> is_ascii(Runtime&, const Value& self, const Arguments&) { return Value(self.string().is_ascii()); }

// At least one letter of this case, none of the others.
template <bool (*Has)(char32_t), bool (*Other)(char32_t)>
Result<Value> in_case(Runtime& runtime, const Value& self, const Arguments&) {
  TRY(runtime.touch(self.text().size()));
  const auto chars = code_points(self.text());
  return Value(std::any_of(chars.begin(), chars.end(), Has) && std::none_of(chars.begin(), chars.end(), Other) &&
               std::none_of(chars.begin(), chars.end(), jinja::is_title));
}

Result<Value> is_title_case(Runtime& runtime, const Value& self, const Arguments&) {
  TRY(runtime.touch(self.text().size()));
  bool any = false, in_word = false;
  for (char32_t c : code_points(self.text())) {
    const bool starts = is_upper(c) || is_title(c);
    if ((starts && in_word) || (is_lower(c) && !in_word)) return Value(false);
    in_word = starts || is_lower(c);
    any = any || in_word;
  }
  return Value(any);
}

Result<Value> pieces(Runtime& runtime, const Value& self, const std::vector<std::string_view>& parts) {
  TRY(runtime.reserve_product(parts.size(), sizeof(Value) + sizeof(String)));
  std::vector<Value> items;
  for (std::string_view part : parts) items.push_back(TRY(runtime.string_like(self, std::string(part))));
  return runtime.list(std::move(items));
}

// Searching from the right is quadratic in the worst case, so it is paid for as such.
Status touch_backwards(Runtime& runtime, std::string_view text, std::string_view part) {
  size_t n_bytes;
  if (__builtin_mul_overflow(text.size(), part.size() + 1, &n_bytes)) n_bytes = SIZE_MAX / 2;
  return runtime.touch(n_bytes);
}

template <bool from_right>
Result<Value> split_method(Runtime& runtime, const Value& self, const Arguments& args) {
  TRY(runtime.touch(self.text().size()));
  const Int limit = TRY(args.integer(1, -1));
  const auto max_splits = static_cast<int64_t>(std::clamp<Int>(limit, -1, INT64_MAX));
  const auto separator = TRY(args.optional_text(0));
  TRY(runtime.reserve_product(self.text().size() + 1, sizeof(std::string_view)));
  if (!separator) {
    return pieces(runtime, self,
                  from_right ? split_space_from_right(self.text(), max_splits) : split_space(self.text(), max_splits));
  }
  if (separator->empty()) return error("empty separator");
  if (from_right) TRY(touch_backwards(runtime, self.text(), *separator));
  return pieces(
      runtime, self,
      from_right ? split_from_right(self.text(), *separator, max_splits) : split(self.text(), *separator, max_splits));
}

Result<Value> splitlines(Runtime& runtime, const Value& self, const Arguments& args) {
  TRY(runtime.touch(self.text().size()));
  return pieces(runtime, self, split_lines(self.text(), args.flag(0, false)));
}

template <bool from_right>
Result<Value> partition(Runtime& runtime, const Value& self, const Arguments& args) {
  const std::string_view text = self.text(), separator = TRY(args.text(0, ""));
  if (separator.empty()) return error("empty separator");
  TRY(from_right ? touch_backwards(runtime, text, separator) : runtime.touch(text.size()));
  const size_t at = from_right ? text.rfind(separator) : find_text(text, separator);
  std::array<std::string_view, 3> parts;
  if (at == std::string_view::npos) {
    parts[from_right ? 2 : 0] = text;
  } else {
    parts = {text.substr(0, at), separator, text.substr(at + separator.size())};
  }
  std::vector<Value> items;
  for (std::string_view part : parts) items.push_back(TRY(runtime.string_like(self, std::string(part))));
  return runtime.tuple(std::move(items));
}

// The part of the string that start and stop leave; none when start is past the end.
struct Window {
  std::string_view text;
  size_t first_char;
};
Result<std::optional<Window>> window(Runtime& runtime, const Value& self, const Arguments& args) {
  const auto size = static_cast<Int>(self.string().n_chars);
  auto bound = [&](size_t index, Int fallback) -> Result<Int> {
    if (args.has(index) && args.at(index).is(Kind::kNone)) return fallback;
    const Int given = TRY(args.integer(index, fallback));
    return std::max<Int>(given < 0 ? given + size : given, 0);
  };
  const Int start = TRY(bound(1, 0));
  const Int stop = std::min<Int>(TRY(bound(2, size)), size);
  TRY(runtime.touch(self.text().size()));
  if (start > stop) return std::optional<Window>();
  const size_t begin = byte_offset(self.text(), static_cast<size_t>(start));
  const size_t end = byte_offset(self.text(), static_cast<size_t>(stop));
  return std::optional(Window{self.text().substr(begin, end - begin), static_cast<size_t>(start)});
}

template <bool from_right, bool must_exist>
Result<Value> find_method_of_string(Runtime& runtime, const Value& self, const Arguments& args) {
  const std::string_view part = TRY(args.text(0, ""));
  const auto where = TRY(window(runtime, self, args));
  size_t at = std::string_view::npos;
  if (where) {
    if (from_right) TRY(touch_backwards(runtime, where->text, part));
    at = from_right ? where->text.rfind(part) : find_text(where->text, part);
  }
  if (at != std::string_view::npos) return Value(static_cast<Int>(where->first_char + count_chars(where->text.substr(0, at))));
  if (must_exist) return error("substring not found");
  return Value(Int{-1});
}

Result<Value> count(Runtime& runtime, const Value& self, const Arguments& args) {
  const std::string_view part = TRY(args.text(0, ""));
  const auto where = TRY(window(runtime, self, args));
  return Value(where ? static_cast<Int>(count_occurrences(where->text, part)) : Int{0});
}

template <bool at_end>
Result<Value> starts_or_ends(Runtime& runtime, const Value& self, const Arguments& args) {
  const auto where = TRY(window(runtime, self, args));
  TRY(require_defined(args.at(0)));
  std::vector<Value> candidates = {args.at(0)};
  if (args.at(0).is(Kind::kSequence) && args.at(0).sequence().is_tuple()) candidates = args.at(0).sequence().items;
  for (const Value& candidate : candidates) {
    if (!candidate.is_string()) {
      return error("{} needs a str or a tuple of str, not {}", at_end ? "endswith" : "startswith", type_name(candidate));
    }
    TRY(runtime.touch(candidate.text().size()));
    if (where && (at_end ? where->text.ends_with(candidate.text()) : where->text.starts_with(candidate.text())))
      return Value(true);
  }
  return Value(false);
}

Result<Value> replace(Runtime& runtime, const Value& self, const Arguments& args) {
  const std::string_view from = TRY(args.text(0, ""));
  const std::string to = TRY(argument_text(self, args, 1));
  const Int limit = TRY(args.integer(2, -1));
  TRY(runtime.touch(self.text().size()));
  TRY(runtime.reserve_product(count_occurrences(self.text(), from), to.size()));
  TRY(runtime.reserve(self.text().size()));
  return runtime.string_like(self,
                             replaced(self.text(), from, to, static_cast<int64_t>(std::clamp<Int>(limit, -1, INT64_MAX))));
}

Result<Value> join(Runtime& runtime, const Value& self, const Arguments& args) {
  TRY(require_defined(args.at(0)));
  const auto items = TRY(iterate(runtime, args.at(0)));
  const bool is_markup = self.string().is_markup;
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += self.text();
    if (!is_markup && !items[i].is_string()) {
      return error("sequence item {}: expected str instance, {} found", i, type_name(items[i]));
    }
    const std::string text = TRY(to_text(runtime, items[i]));
    out += is_markup && !(items[i].is_string() && items[i].string().is_markup) ? escape_markup(text) : text;
    TRY(runtime.reserve(out.size()));
    TRY(runtime.touch(self.text().size()));
  }
  return runtime.string_like(self, std::move(out));
}

template <bool prefix>
Result<Value> remove_affix(Runtime& runtime, const Value& self, const Arguments& args) {
  std::string_view text = self.text();
  const std::string_view affix = TRY(args.text(0, ""));
  if (prefix && text.starts_with(affix)) text.remove_prefix(affix.size());
  if (!prefix && text.ends_with(affix)) text.remove_suffix(affix.size());
  return runtime.string_like(self, std::string(text));
}

// ljust, rjust and center: the share of the missing characters that goes to the left.
enum class Adjust { kLeft, kRight, kCenter };
template <Adjust adjust>
Result<Value> justified(Runtime& runtime, const Value& self, const Arguments& args) {
  const Int width = TRY(args.integer(0, 0));
  const std::string_view fill = TRY(args.text(1, " "));
  if (count_chars(fill) != 1) return error("the fill character must be exactly one character long");
  const auto size = static_cast<Int>(self.string().n_chars);
  if (width <= size) return self;
  const auto missing = static_cast<size_t>(width - size);
  TRY(runtime.reserve_product(missing, fill.size()));
  TRY(runtime.reserve(self.text().size()));
  const size_t center_left = missing / 2 + (missing & static_cast<size_t>(width) & 1);
  const size_t left = adjust == Adjust::kLeft ? 0 : adjust == Adjust::kRight ? missing : center_left;
  std::string out;
  for (size_t i = 0; i < left; ++i) out += fill;
  out += self.text();
  for (size_t i = left; i < missing; ++i) out += fill;
  return runtime.string_like(self, std::move(out));
}

Result<Value> zfill(Runtime& runtime, const Value& self, const Arguments& args) {
  const Int width = TRY(args.integer(0, 0));
  const auto size = static_cast<Int>(self.string().n_chars);
  if (width <= size) return self;
  TRY(runtime.reserve(static_cast<size_t>(width)));
  const bool has_sign = self.text().starts_with('-') || self.text().starts_with('+');
  std::string out(self.text());
  out.insert(has_sign ? 1 : 0, static_cast<size_t>(width - size), '0');
  return runtime.string_like(self, std::move(out));
}

Result<Value> format(Runtime& runtime, const Value& self, const Arguments& args) {
  return format_braces(runtime, self, args.raw());
}

constexpr FunctionRow kStringMethods[] = {
    {"capitalize", converted<capitalized>},
    {"casefold", converted<case_folded>},
    {"center", justified<Adjust::kCenter>, {"/width", "/fillchar"}, 1},
    {"count", count, {"/sub", "/start", "/end"}, 1},
    {"endswith", starts_or_ends<true>, {"/suffix", "/start", "/end"}, 1},
    {"find", find_method_of_string<false, false>, {"/sub", "/start", "/end"}, 1},
    {"format", format, {}, 0, true},
    {"index", find_method_of_string<false, true>, {"/sub", "/start", "/end"}, 1},
    {"isalnum", all_chars<is_alnum>},
    {"isalpha", all_chars<is_alpha>},
    {"isascii", is_ascii},
    {"isdecimal", all_chars<is_decimal>},
    {"isdigit", all_chars<is_digit>},
    {"islower", in_case<is_lower, is_upper>},
    {"isspace", all_chars<is_space>},
    {"istitle", is_title_case},
    {"isupper", in_case<is_upper, is_lower>},
    {"join", join, {"/iterable"}, 1},
    {"ljust", justified<Adjust::kLeft>, {"/width", "/fillchar"}, 1},
    {"lower", converted<to_lower>},
    {"lstrip", stripped<Side::kLeft>, {"/chars"}},
    {"partition", partition<false>, {"/sep"}, 1},
    {"removeprefix", remove_affix<true>, {"/prefix"}, 1},
    {"removesuffix", remove_affix<false>, {"/suffix"}, 1},
    {"replace", replace, {"/old", "/new", "/count"}, 2},
    {"rfind", find_method_of_string<true, false>, {"/sub", "/start", "/end"}, 1},
    {"rindex", find_method_of_string<true, true>, {"/sub", "/start", "/end"}, 1},
    {"rjust", justified<Adjust::kRight>, {"/width", "/fillchar"}, 1},
    {"rpartition", partition<true>, {"/sep"}, 1},
    {"rsplit", split_method<true>, {"sep", "maxsplit"}},
    {"rstrip", stripped<Side::kRight>, {"/chars"}},
    {"split", split_method<false>, {"sep", "maxsplit"}},
    {"splitlines", splitlines, {"keepends"}},
    {"startswith", starts_or_ends<false>, {"/prefix", "/start", "/end"}, 1},
    {"strip", stripped<Side::kBoth>, {"/chars"}},
    {"swapcase", converted<swapped_case>},
    {"title", converted<to_title>},
    {"upper", converted<to_upper>},
    {"zfill", zfill, {"/width"}, 1},
};

}  // namespace

std::span<const FunctionRow> string_methods() { return kStringMethods; }

}  // namespace minke::jinja
