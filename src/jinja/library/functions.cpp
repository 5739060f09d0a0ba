#include "jinja/library/functions.h"

#include <optional>
#include <utility>

#include "jinja/value/operators.h"
#include "jinja/value/repr.h"

namespace minke::jinja {

namespace {

// As in the sandbox of Jinja2.
constexpr size_t kMaxRange = 100'000;

Result<Value> range(Runtime& runtime, const Value&, const Arguments& args) {
  const Int first = TRY(args.integer(0, 0));
  const Int start = args.has(1) ? first : 0;
  const Int stop = args.has(1) ? TRY(args.integer(1, 0)) : first;
  const Int step = TRY(args.integer(2, 1));
  if (step == 0) return error("range() arg 3 must not be zero");
  const Int distance = step > 0 ? stop - start : start - stop, stride = step > 0 ? step : -step;
  const Int count = distance <= 0 ? 0 : (distance - 1) / stride + 1;
  if (count > static_cast<Int>(kMaxRange)) return error("range of {} items is too big (limit: {})", int_text(count), kMaxRange);
  TRY(runtime.touch(static_cast<size_t>(count) * sizeof(Value)));
  TRY(runtime.reserve(static_cast<size_t>(count) * sizeof(Value)));
  std::vector<Value> items;
  items.reserve(static_cast<size_t>(count));
  for (Int i = 0; i < count; ++i) items.emplace_back(start + i * step);
  std::string shown = "range(" + int_text(start) + ", " + int_text(stop) + (step == 1 ? ")" : ", " + int_text(step) + ")");
  return runtime.sequence(SequenceStyle::kRange, std::move(items), std::move(shown));
}

// The entries that dict(x, name=value) and namespace(x, name=value) are made of.
Result<Value> collect_entries(Runtime& runtime, const CallArguments& given) {
  DictBuilder builder(runtime);
  if (given.positional.size() > 1) return error("dict expected at most 1 argument, got {}", given.positional.size());
  if (!given.positional.empty()) {
    const Value& source = given.positional[0];
    TRY(require_defined(source));
    if (source.is(Kind::kDict)) {
      for (const auto& [key, value] : source.dict().entries) TRY(builder.add(key, value));
    } else {
      for (const Value& item : TRY(iterate(runtime, source))) {
        auto pair = TRY(iterate(runtime, item));
        if (pair.size() != 2) return error("dict needs pairs, got {} items", pair.size());
        TRY(builder.add(std::move(pair[0]), std::move(pair[1])));
      }
    }
  }
  for (const auto& [name, value] : given.named) TRY(builder.add(Value(name), value));
  return builder.finish();
}

Result<Value> dict(Runtime& runtime, const Value&, const Arguments& args) { return collect_entries(runtime, args.raw()); }

Result<Value> name_space(Runtime& runtime, const Value&, const Arguments& args) {
  const Value entries = TRY(collect_entries(runtime, args.raw()));
  const Value made = TRY(runtime.name_space());
  for (const auto& [key, value] : entries.dict().entries) {
    if (!key.is_string()) return error("namespace: a name must be str, not {}", type_name(key));
    TRY(runtime.assign(made.name_space(), key.text(), value));
  }
  return made;
}

Result<Value> raise_exception(Runtime& runtime, const Value&, const Arguments& args) {
  runtime.raised = TRY(to_text(runtime, args.at(0)));
  return error("{}", *runtime.raised);
}

Result<Value> strftime_now(Runtime& runtime, const Value&, const Arguments& args) {
  std::tm now{};
  if (runtime.options().now) {
    now = *runtime.options().now;
  } else {
    const std::time_t seconds = std::time(nullptr);
    localtime_r(&seconds, &now);
  }
  const std::string_view format = TRY(args.text(0, ""));
  TRY(runtime.reserve(format.size() * 16));
  return runtime.string(TRY(format_time(now, format)));
}

constexpr FunctionRow kFunctions[] = {
    {"dict", dict, {}, 0, true},
    {"namespace", name_space, {}, 0, true},
    {"raise_exception", raise_exception, {"message"}, 1},
    {"range", range, {"/start", "/stop", "/step"}, 1},
    {"strftime_now", strftime_now, {"format"}, 1},
};

constexpr std::string_view kDays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr std::string_view kMonths[] = {"January", "February", "March",     "April",   "May",      "June",
                                        "July",    "August",   "September", "October", "November", "December"};

// Week of the year, where day 0 of weeks is Sunday or Monday.
int week_of_year(const std::tm& t, int first_day) { return (t.tm_yday + 7 - (t.tm_wday + 7 - first_day) % 7) / 7; }

struct IsoWeek {
  int year, week;
};

// ISO 8601: week 1 is the one with the first Thursday.
IsoWeek iso_week(const std::tm& t) {
  auto is_leap = [](int year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; };
  const int year = t.tm_year + 1900;
  const int thursday = t.tm_yday + 3 - (t.tm_wday + 6) % 7;
  if (thursday < 0) return {year - 1, (thursday + (is_leap(year - 1) ? 366 : 365)) / 7 + 1};
  const int n_days = is_leap(year) ? 366 : 365;
  if (thursday >= n_days) return {year + 1, (thursday - n_days) / 7 + 1};
  return {year, thursday / 7 + 1};
}

int hour12(const std::tm& t) { return t.tm_hour % 12 == 0 ? 12 : t.tm_hour % 12; }

// Codes that print a number.
struct NumberCode {
  char code;
  int width;
  char pad;
  int (*value)(const std::tm&);
};
constexpr NumberCode kNumberCodes[] = {
    {'C', 2, '0', [](const std::tm& t) { return (t.tm_year + 1900) / 100; }},
    {'d', 2, '0', [](const std::tm& t) { return t.tm_mday; }},
    {'e', 2, ' ', [](const std::tm& t) { return t.tm_mday; }},
    {'g', 2, '0', [](const std::tm& t) { return iso_week(t).year % 100; }},
    {'G', 4, '0', [](const std::tm& t) { return iso_week(t).year; }},
    {'H', 2, '0', [](const std::tm& t) { return t.tm_hour; }},
    {'I', 2, '0', hour12},
    {'j', 3, '0', [](const std::tm& t) { return t.tm_yday + 1; }},
    {'k', 2, ' ', [](const std::tm& t) { return t.tm_hour; }},
    {'l', 2, ' ', hour12},
    {'m', 2, '0', [](const std::tm& t) { return t.tm_mon + 1; }},
    {'M', 2, '0', [](const std::tm& t) { return t.tm_min; }},
    {'S', 2, '0', [](const std::tm& t) { return t.tm_sec; }},
    {'u', 1, '0', [](const std::tm& t) { return t.tm_wday == 0 ? 7 : t.tm_wday; }},
    {'U', 2, '0', [](const std::tm& t) { return week_of_year(t, 0); }},
    {'V', 2, '0', [](const std::tm& t) { return iso_week(t).week; }},
    {'w', 1, '0', [](const std::tm& t) { return t.tm_wday; }},
    {'W', 2, '0', [](const std::tm& t) { return week_of_year(t, 1); }},
    {'y', 2, '0', [](const std::tm& t) { return t.tm_year % 100; }},
    {'Y', 1, '0', [](const std::tm& t) { return t.tm_year + 1900; }},
};

// Codes that stand for several others.
constexpr std::pair<char, std::string_view> kCompositeCodes[] = {
    {'c', "%a %b %e %H:%M:%S %Y"},
    {'D', "%m/%d/%y"},
    {'F', "%Y-%m-%d"},
    {'r', "%I:%M:%S %p"},
    {'R', "%H:%M"},
    {'T', "%H:%M:%S"},
    {'x', "%m/%d/%y"},
    {'X', "%H:%M:%S"},
};

// Codes that print a word; none for any other code.
std::optional<std::string_view> word_of(const std::tm& t, char code) {
  const std::string_view day = kDays[t.tm_wday], month = kMonths[t.tm_mon];
  constexpr std::pair<char, std::string_view> kFixed[] = {{'%', "%"},      {'n', "\n"}, {'t', "\t"},
                                                          {'f', "000000"}, {'z', ""},   {'Z', ""}};  // the time has no zone
  for (const auto& [fixed_code, text] : kFixed) {
    if (code == fixed_code) return text;
  }
  if (code == 'a') return day.substr(0, 3);
  if (code == 'A') return day;
  if (code == 'b' || code == 'h') return month.substr(0, 3);
  if (code == 'B') return month;
  if (code == 'p') return t.tm_hour < 12 ? "AM" : "PM";
  return std::nullopt;
}

// One code; unpadded is %-d, as the C library of Linux takes it.
Result<std::string> format_code(const std::tm& t, char code, bool unpadded) {
  if (const auto word = word_of(t, code)) return std::string(*word);
  for (const auto& [composite, expansion] : kCompositeCodes) {
    if (code == composite) return format_time(t, expansion);
  }
  for (const NumberCode& row : kNumberCodes) {
    if (code != row.code) continue;
    std::string digits = fmt::format("{}", row.value(t));
    if (!unpadded && static_cast<int>(digits.size()) < row.width) {
      digits.insert(0, static_cast<size_t>(row.width) - digits.size(), row.pad);
    }
    return digits;
  }
  return error("strftime_now: '%{}' is not supported", code);
}

}  // namespace

const FunctionRow* find_function(std::string_view name) { return find_row(kFunctions, name); }

Result<std::string> format_time(const std::tm& time, std::string_view format) {
  if (time.tm_wday < 0 || time.tm_wday > 6 || time.tm_mon < 0 || time.tm_mon > 11) {
    return error("strftime_now: the clock gives no date");
  }
  std::string out;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out += format[i];
      continue;
    }
    ++i;
    const bool unpadded = format[i] == '-' && i + 1 < format.size();
    if (unpadded) ++i;
    out += TRY(format_code(time, format[i], unpadded));
  }
  return out;
}

}  // namespace minke::jinja
