#include "plan/request/inputs.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/toml_section.h"

namespace minke::plan {
namespace {

constexpr size_t kMaxShown = 80;  // bytes of a wrong value that a message repeats

std::string shown(const Json& value) {
  std::string text = dump_json(value);
  return text.size() <= kMaxShown ? text : text.substr(0, kMaxShown) + "...";
}

// key = value: expected ...
tl::unexpected<Error> not_expected(std::string_view key, const Json& value, std::string_view expected) {
  return error("{} = {}: expected {}", key, shown(value), expected);
}

std::string between(double min, double max) {
  return std::isfinite(max) ? fmt::format("a number from {:.6g} to {:.6g}", min, max)
                            : fmt::format("a number of at least {:.6g}", min);
}

constexpr std::string_view kCountExpected = "a number above 0, such as 4096, 16M, 300e9 or 14.8T";

}  // namespace

Result<double> parse_count(std::string_view text, std::string_view what) {
  double value = 0;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  double factor = unit.empty()                 ? 1
                  : unit == "k" || unit == "K" ? 1e3
                  : unit == "M"                ? 1e6
                  : unit == "B" || unit == "G" ? 1e9
                  : unit == "T"                ? 1e12
                                               : 0;
  if (failed != std::errc() || factor == 0 || !std::isfinite(value * factor) || value <= 0) {
    return error("{} \"{}\": expected {}", what, text, kCountExpected);
  }
  return value * factor;
}

Status Inputs::only(std::string_view what, std::span<const std::string_view> known) const {
  for (const auto& [key, value] : object_->items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    std::vector<std::string> names(known.begin(), known.end());
    auto nearest = toml_file::nearest_name(key, names);
    return error("{} = {}: unknown key; {}{} takes {}", key, shown(value),
                 nearest ? fmt::format("did you mean \"{}\"? ", *nearest) : "", what, fmt::join(known, ", "));
  }
  return {};
}

bool Inputs::has(std::string_view key) const {
  auto found = object_->find(std::string(key));
  return found != object_->end() && !found->is_null();
}

Result<const Json*> Inputs::wanted(std::string_view key, std::string_view expected) const {
  if (!has(key)) return error("{}: missing; expected {}", key, expected);
  return &object_->at(std::string(key));
}

Result<std::string> Inputs::text(std::string_view key) const {
  const Json* value = TRY(wanted(key, "a text"));
  if (!value->is_string() || value->get_ref<const std::string&>().empty()) return not_expected(key, *value, "a text");
  return value->get<std::string>();
}

Result<std::string> Inputs::text_or(std::string_view key, std::string fallback) const {
  if (!has(key) || object_->at(std::string(key)) == "") return fallback;
  return text(key);
}

Result<std::string> Inputs::choice_or(std::string_view key, std::span<const std::string_view> known,
                                      std::string fallback) const {
  if (!has(key)) return fallback;
  std::string value = TRY(text(key));
  if (std::find(known.begin(), known.end(), value) == known.end()) {
    return error("{} = \"{}\": expected one of {}", key, value, fmt::join(known, ", "));
  }
  return value;
}

Result<double> Inputs::count(std::string_view key) const {
  const Json* value = TRY(wanted(key, kCountExpected));
  if (value->is_string()) return parse_count(value->get_ref<const std::string&>(), key);
  if (!value->is_number() || value->get<double>() <= 0) return not_expected(key, *value, kCountExpected);
  return value->get<double>();
}

Result<double> Inputs::count_or(std::string_view key, double fallback) const {
  if (!has(key)) return fallback;
  return count(key);
}

Result<std::optional<double>> Inputs::maybe(std::string_view key, double min, double max) const {
  if (!has(key)) return std::optional<double>();
  const Json& value = object_->at(std::string(key));
  if (!value.is_number() || !(value.get<double>() >= min) || !(value.get<double>() <= max)) {
    return not_expected(key, value, between(min, max));
  }
  return std::optional<double>(value.get<double>());
}

Result<double> Inputs::number_or(std::string_view key, double min, double max, double fallback) const {
  std::optional<double> value = TRY(maybe(key, min, max));
  return value.value_or(fallback);
}

Result<int64_t> Inputs::integer(std::string_view key, int64_t min, int64_t max) const {
  std::string expected = fmt::format("a whole number from {} to {}", min, max);
  const Json* value = TRY(wanted(key, expected));
  double number = value->is_number() ? value->get<double>() : std::nan("");
  // The bounds are far below 2^53, so that a whole number written as 2048.0 is exact.
  if (!(number >= static_cast<double>(min)) || !(number <= static_cast<double>(max)) || number != std::floor(number)) {
    return not_expected(key, *value, expected);
  }
  return static_cast<int64_t>(number);
}

Result<int64_t> Inputs::integer_or(std::string_view key, int64_t min, int64_t max, int64_t fallback) const {
  if (!has(key)) return fallback;
  return integer(key, min, max);
}

Result<bool> Inputs::flag_or(std::string_view key, bool fallback) const {
  if (!has(key)) return fallback;
  const Json& value = object_->at(std::string(key));
  if (!value.is_boolean()) return not_expected(key, value, "true or false");
  return value.get<bool>();
}

Result<std::vector<std::string>> Inputs::texts(std::string_view key, size_t max) const {
  std::string expected = fmt::format("a list of 1 to {} texts", max);
  const Json* value = TRY(wanted(key, expected));
  bool is_list = value->is_array() && !value->empty() && value->size() <= max;
  if (!is_list || !std::all_of(value->begin(), value->end(), [](const Json& one) { return one.is_string(); })) {
    return not_expected(key, *value, expected);
  }
  return value->get<std::vector<std::string>>();
}

Result<Json> Inputs::object_or_empty(std::string_view key) const {
  if (!has(key)) return Json::object();
  const Json& value = object_->at(std::string(key));
  if (!value.is_object()) return not_expected(key, value, "an object");
  return value;
}

}  // namespace minke::plan
