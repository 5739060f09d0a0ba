#include "server/fields.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/utf8.h"

namespace minke::server {
namespace {

constexpr size_t kMaxShown = 40;

// A value in an error: short, and never a whole prompt.
std::string shown(const Json& value) {
  switch (value.type()) {
    case Json::value_t::object:
      return "an object";
    case Json::value_t::array:
      return "a list";
    case Json::value_t::string: {
      const auto& text = value.get_ref<const std::string&>();
      if (text.size() > kMaxShown) return fmt::format("a string of {} bytes", text.size());
      return fmt::format("\"{}\"", text);
    }
    default:
      return dump_json(value);
  }
}

}  // namespace

Fields::Fields(const Json& value, std::string path, FieldErrors& errors)
    : value_(value.is_object() ? &value : nullptr), path_(std::move(path)), errors_(errors) {
  if (value_ == nullptr)
    errors_.add(invalid(path_, "{}: expected an object, got {}", path_.empty() ? "the body" : path_, shown(value)));
}

std::string Fields::name_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

void Fields::fail(std::string_view key, std::string message) {
  errors_.add(ApiError{ErrorKind::kInvalid, fmt::format("{}: {}", name_of(key), message), name_of(key)});
}

const Json* Fields::take(std::string_view key) {
  if (value_ == nullptr) return nullptr;
  auto found = value_->find(key);
  if (found == value_->end()) return nullptr;
  seen_.push_back(found.key());
  return found->is_null() ? nullptr : &*found;
}

const Json* Fields::any(std::string_view key) { return take(key); }

std::optional<bool> Fields::boolean(std::string_view key) {
  const Json* value = take(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  fail(key, fmt::format("expected true or false, got {}", shown(*value)));
  return std::nullopt;
}

std::optional<int64_t> Fields::integer(std::string_view key, int64_t least, int64_t most) {
  const Json* value = take(key);
  if (value == nullptr) return std::nullopt;
  // 2.0 is an integer in JSON's eyes, and some clients write it so.
  if (value->is_number_float()) {
    const double number = value->get<double>();
    if (number == std::trunc(number) && std::abs(number) < 0x1p53 && number >= static_cast<double>(least) &&
        number <= static_cast<double>(most))
      return static_cast<int64_t>(number);
  } else if (value->is_number_unsigned()) {
    const uint64_t number = value->get<uint64_t>();
    if (number <= INT64_MAX && static_cast<int64_t>(number) >= least && static_cast<int64_t>(number) <= most)
      return static_cast<int64_t>(number);
  } else if (value->is_number_integer()) {
    const int64_t number = value->get<int64_t>();
    if (number >= least && number <= most) return number;
  }
  fail(key, fmt::format("expected an integer from {} to {}, got {}", least, most, shown(*value)));
  return std::nullopt;
}

std::optional<double> Fields::number(std::string_view key, double least, double most) {
  const Json* value = take(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_number()) {
    const double number = value->get<double>();
    if (number >= least && number <= most) return number;  // false for NaN
  }
  fail(key, fmt::format("expected a number from {} to {}, got {}", least, most, shown(*value)));
  return std::nullopt;
}

std::optional<std::string> Fields::text(std::string_view key) {
  const Json* value = take(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  fail(key, fmt::format("expected a string, got {}", shown(*value)));
  return std::nullopt;
}

std::string Fields::required_text(std::string_view key) {
  auto value = text(key);
  if (!value && !errors_.first) fail(key, "is missing: expected a string");
  return value.value_or("");
}

std::optional<size_t> Fields::one_of(std::string_view key, std::initializer_list<std::string_view> names) {
  const auto value = text(key);
  if (!value) return std::nullopt;
  const auto* found = std::find(names.begin(), names.end(), *value);
  if (found != names.end()) return static_cast<size_t>(found - names.begin());
  fail(key, fmt::format("expected one of {}, got {}", fmt::join(names, ", "), shown(Json(*value))));
  return std::nullopt;
}

const Json* Fields::array(std::string_view key, size_t most) {
  const Json* value = take(key);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) {
    fail(key, fmt::format("expected a list, got {}", shown(*value)));
    return nullptr;
  }
  if (value->size() > most) {
    fail(key, fmt::format("expected at most {} items, got {}", most, value->size()));
    return nullptr;
  }
  return value;
}

const Json* Fields::object(std::string_view key) {
  const Json* value = take(key);
  if (value == nullptr || value->is_object()) return value;
  fail(key, fmt::format("expected an object, got {}", shown(*value)));
  return nullptr;
}

std::vector<std::string> Fields::texts(std::string_view key, size_t most) {
  const Json* value = take(key);
  if (value == nullptr) return {};
  if (value->is_string()) return {value->get<std::string>()};
  const bool is_list =
      value->is_array() && std::all_of(value->begin(), value->end(), [](const Json& item) { return item.is_string(); });
  if (!is_list) {
    fail(key, fmt::format("expected a string or a list of strings, got {}", shown(*value)));
  } else if (value->size() > most) {
    fail(key, fmt::format("expected at most {} strings, got {}", most, value->size()));
  } else {
    return value->get<std::vector<std::string>>();
  }
  return {};
}

void Fields::ignore(std::initializer_list<std::string_view> keys) {
  for (std::string_view key : keys) take(key);
}

void Fields::refuse(std::initializer_list<std::string_view> keys) {
  for (std::string_view key : keys) {
    const Json* value = take(key);
    if (value == nullptr || (value->is_boolean() && !value->get<bool>())) continue;
    if ((value->is_string() && value->get_ref<const std::string&>().empty()) || (value->is_structured() && value->empty()))
      continue;
    fail(key, "is not supported here; leave it out");
  }
}

void Fields::finish() {
  if (value_ == nullptr || errors_.first) return;
  for (auto item = value_->begin(); item != value_->end(); ++item) {
    if (std::find(seen_.begin(), seen_.end(), item.key()) != seen_.end()) continue;
    const std::string key = item.key().size() > kMaxShown ? utf8_lossy(item.key().substr(0, kMaxShown)) + "..." : item.key();
    fail(key, "is unknown; leave it out");
    errors_.first->code = "unknown_parameter";
    return;
  }
}

}  // namespace minke::server
