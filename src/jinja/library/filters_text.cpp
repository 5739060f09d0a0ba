// Filters that give text.
#include <algorithm>

#include "base/markup.h"
#include "base/utf8.h"
#include "jinja/library/filters.h"
#include "jinja/library/format.h"
#include "jinja/library/methods.h"
#include "jinja/value/operators.h"
#include "jinja/value/repr.h"
#include "jinja/value/text.h"

namespace minke::jinja {

namespace {

// The input as a string value; Markup stays Markup.
Result<Value> as_string(Runtime& runtime, const Value& value) {
  if (value.is_string()) return value;
  return runtime.string(TRY(to_text(runtime, value)));
}

template <std::string (*Convert)(std::string_view)>
Result<Value> converted(Runtime& runtime, const Value& self, const Arguments&) {
  const Value input = TRY(as_string(runtime, self));
  TRY(runtime.reserve(input.text().size() * 3));
  return runtime.string_like(input, Convert(input.text()));
}

Result<Value> string(Runtime& runtime, const Value& self, const Arguments&) { return as_string(runtime, self); }

Result<Value> trim(Runtime& runtime, const Value& self, const Arguments& args) {
  const Value input = TRY(as_string(runtime, self));
  const auto set = TRY(args.optional_text(0));
  return runtime.string_like(input, std::string(strip(input.text(), Side::kBoth, set)));
}

// Upper case after every one of - ( { [ < and white space, unlike str.title().
Result<Value> title(Runtime& runtime, const Value& self, const Arguments&) {
  const Value input = TRY(as_string(runtime, self));
  std::string out, word;
  auto finish_word = [&] {
    if (word.empty()) return;
    const size_t first = byte_offset(word, 1);
    out += to_upper(word.substr(0, first)) + to_lower(word.substr(first));
    word.clear();
  };
  TRY(runtime.reserve(input.text().size() * 3));
  for (std::string_view piece : characters(input.text())) {
    const char32_t c = utf8_decode(piece, 0).code_point;
    if (is_space(c) || (c < 0x80 && std::string_view("-({[<").find(static_cast<char>(c)) != std::string_view::npos)) {
      finish_word();
      out += piece;
    } else {
      word += piece;
    }
  }
  finish_word();
  return runtime.string(std::move(out));
}

Result<Value> replace(Runtime& runtime, const Value& self, const Arguments& args) {
  const std::string text = TRY(to_text(runtime, self));
  const std::string from = TRY(to_text(runtime, args.at(0))), to = TRY(to_text(runtime, args.at(1)));
  const bool unlimited = !args.has(2) || args.at(2).is(Kind::kNone);
  const Int limit = unlimited ? -1 : TRY(args.integer(2, -1));
  TRY(runtime.touch(text.size()));
  TRY(runtime.reserve_product(count_occurrences(text, from), to.size()));
  return runtime.string(replaced(text, from, to, static_cast<int64_t>(std::clamp<Int>(limit, -1, INT64_MAX))));
}

Result<Value> indent(Runtime& runtime, const Value& input, const Arguments& args) {
  TRY(require_defined(input));
  if (!input.is_string()) return error("indent needs a str, not {}", type_name(input));
  std::string indention;
  if (args.has(0) && args.at(0).is_string()) {
    indention = args.at(0).text();
  } else {
    const Int width = std::max<Int>(TRY(args.integer(0, 4)), 0);
    TRY(runtime.reserve(static_cast<size_t>(width)));
    indention.assign(static_cast<size_t>(width), ' ');
  }
  const bool first = args.flag(1, false), blank = args.flag(2, false);
  // A newline at the end makes the last line count even when it is empty.
  const std::string text = std::string(input.text()) + '\n';
  const auto lines = split_lines(text, false);
  TRY(runtime.reserve_product(lines.size(), indention.size() + 1));
  TRY(runtime.touch(text.size()));
  std::string out;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out += '\n';
    const bool wanted = i == 0 ? first : blank || !lines[i].empty();
    if (wanted) out += indention;
    out += lines[i];
  }
  return runtime.string_like(input, std::move(out));
}

Result<Value> center(Runtime& runtime, const Value& self, const Arguments& args) {
  const Value input = TRY(as_string(runtime, self));
  CallArguments given;
  given.positional.push_back(Value(TRY(args.integer(0, 80))));
  return call_native(runtime, *find_row(string_methods(), "center"), input, given);
}

Result<Value> truncate(Runtime& runtime, const Value& input, const Arguments& args) {
  if (input.is(Kind::kUndefined)) return input;
  if (!input.is_string()) return error("truncate needs a str, not {}", type_name(input));
  const Int length = TRY(args.integer(0, 255)), leeway = TRY(args.integer(3, 5));
  const std::string_view end = TRY(args.text(2, "..."));
  const auto end_chars = static_cast<Int>(count_chars(end));
  if (length < end_chars) return error("truncate: expected length >= {}, got {}", end_chars, length);
  if (leeway < 0) return error("truncate: expected leeway >= 0, got {}", leeway);
  if (static_cast<Int>(input.string().n_chars) <= length + leeway) return input;
  std::string_view kept = input.text().substr(0, byte_offset(input.text(), static_cast<size_t>(length - end_chars)));
  if (!args.flag(1, false)) kept = kept.substr(0, kept.rfind(' '));
  return runtime.string_like(input, std::string(kept).append(end));
}

Result<Value> wordcount(Runtime& runtime, const Value& self, const Arguments&) {
  const Value input = TRY(as_string(runtime, self));
  Int n = 0;
  bool in_word = false;
  for (char32_t c : code_points(input.text())) {
    const bool is_word = c == '_' || is_alnum(c);
    n += is_word && !in_word;
    in_word = is_word;
  }
  return Value(n);
}

Result<Value> escape(Runtime& runtime, const Value& self, const Arguments&) {
  if (self.is_string() && self.string().is_markup) return self;
  return runtime.string(escape_markup(TRY(to_text(runtime, self))), true);
}

Result<Value> force_escape(Runtime& runtime, const Value& self, const Arguments&) {
  return runtime.string(escape_markup(TRY(to_text(runtime, self))), true);
}

Result<Value> safe(Runtime& runtime, const Value& self, const Arguments&) {
  return runtime.string(TRY(to_text(runtime, self)), true);
}

Result<Value> format(Runtime& runtime, const Value& self, const Arguments& args) {
  const Value input = TRY(as_string(runtime, self));
  const CallArguments& given = args.raw();
  if (!given.positional.empty() && !given.named.empty()) return error("format takes positional or named values, not both");
  if (given.named.empty()) return format_percent(runtime, input, TRY(runtime.tuple(given.positional)));
  DictBuilder values(runtime);
  for (const auto& [name, value] : given.named) TRY(values.add(Value(name), value));
  return format_percent(runtime, input, TRY(values.finish()));
}

std::string url_quoted(std::string_view text, bool in_query) {
  std::string out;
  for (char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("_.-~").find(c) != std::string_view::npos || (c == '/' && !in_query);
    if (plain) {
      out += c;
    } else if (c == ' ' && in_query) {
      out += '+';
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

Result<Value> urlencode(Runtime& runtime, const Value& self, const Arguments&) {
  if (!self.is(Kind::kDict) && !self.is(Kind::kSequence)) {
    const std::string text = TRY(to_text(runtime, self));
    TRY(runtime.reserve_product(text.size(), 3));
    return runtime.string(url_quoted(text, false));
  }
  std::vector<Dict::Entry> pairs;
  if (self.is(Kind::kDict)) {
    pairs = self.dict().entries;
  } else {
    for (const Value& item : TRY(iterate(runtime, self))) {
      const auto pair = TRY(iterate(runtime, item));
      if (pair.size() != 2) return error("urlencode needs pairs, got {} items", pair.size());
      pairs.emplace_back(pair[0], pair[1]);
    }
  }
  std::string out;
  for (const auto& [key, value] : pairs) {
    if (!out.empty()) out += '&';
    out += url_quoted(TRY(to_text(runtime, key)), true) + "=";
    out += url_quoted(TRY(to_text(runtime, value)), true);
    TRY(runtime.reserve(out.size()));
  }
  return runtime.string(std::move(out));
}

Result<JsonStyle> json_style(Runtime& runtime, const Arguments& args) {
  JsonStyle style;
  style.ensure_ascii = args.flag(0, false);
  style.sort_keys = args.flag(3, false);
  if (args.has(1) && args.at(1).is_string()) {
    style.indent = std::string(args.at(1).text());
  } else if (args.has(1) && !args.at(1).is(Kind::kNone)) {
    const Int width = std::max<Int>(TRY(args.integer(1, 0)), 0);
    TRY(runtime.reserve(static_cast<size_t>(width)));
    style.indent = std::string(static_cast<size_t>(width), ' ');
  }
  if (style.indent) style.item_separator = ",";
  if (args.has(2) && !args.at(2).is(Kind::kNone)) {
    const auto separators = TRY(iterate(runtime, args.at(2)));
    if (separators.size() != 2 || !separators[0].is_string() || !separators[1].is_string()) {
      return error("tojson: separators must be two strings");
    }
    style.item_separator = separators[0].text();
    style.key_separator = separators[1].text();
  }
  return style;
}

Result<Value> tojson(Runtime& runtime, const Value& self, const Arguments& args) {
  const JsonStyle style = TRY(json_style(runtime, args));
  return runtime.string(TRY(to_json_text(runtime, self, style)));
}

constexpr FunctionRow kTextFilters[] = {
    {"capitalize", converted<capitalized>},
    {"center", center, {"width"}},
    {"e", escape},
    {"escape", escape},
    {"forceescape", force_escape},
    {"format", format, {}, 0, true},
    {"indent", indent, {"width", "first", "blank"}},
    {"lower", converted<to_lower>},
    {"replace", replace, {"old", "new", "count"}, 2},
    {"safe", safe},
    {"string", string},
    {"title", title},
    {"tojson", tojson, {"ensure_ascii", "indent", "separators", "sort_keys"}},
    {"trim", trim, {"chars"}},
    {"truncate", truncate, {"length", "killwords", "end", "leeway"}},
    {"upper", converted<to_upper>},
    {"urlencode", urlencode},
    {"wordcount", wordcount},
};

}  // namespace

std::span<const FunctionRow> text_filters() { return kTextFilters; }

}  // namespace minke::jinja
