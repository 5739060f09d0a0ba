#include "tokenizer/files/json_fields.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace minke {

std::string shown_json(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  std::string text = dump_json(value);
  return text.size() > 60 ? text.substr(0, 60) + "..." : text;
}

Result<JsonFields> JsonFields::of(const Json& value, std::string where) {
  if (!value.is_object()) return error("{}: expected an object, got {}", where, shown_json(value));
  JsonFields fields;
  fields.object_ = &value;
  fields.where_ = std::move(where);
  return fields;
}

const Json* JsonFields::find(std::string_view key) {
  seen_.emplace_back(key);
  auto it = object_->find(std::string(key));
  return it == object_->end() || it->is_null() ? nullptr : &*it;
}

Result<std::string> JsonFields::string(std::string_view key) {
  std::optional<std::string> text = TRY(optional_string(key));
  if (!text) return error("{}: missing", where(key));
  return std::move(*text);
}

Result<std::optional<std::string>> JsonFields::optional_string(std::string_view key) {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) return error("{}: expected a string, got {}", where(key), shown_json(*value));
  return value->get_ref<const std::string&>();
}

Result<bool> JsonFields::boolean(std::string_view key, bool missing) {
  const Json* value = find(key);
  if (value == nullptr) return missing;
  if (!value->is_boolean()) return error("{}: expected true or false, got {}", where(key), shown_json(*value));
  return value->get<bool>();
}

Result<int64_t> JsonFields::integer(std::string_view key) {
  const Json* value = find(key);
  if (value == nullptr) return error("{}: missing", where(key));
  bool fits = value->is_number_integer() && (!value->is_number_unsigned() || value->get<uint64_t>() <= uint64_t{INT64_MAX});
  if (!fits) return error("{}: expected an integer, got {}", where(key), shown_json(*value));
  return value->get<int64_t>();
}

Result<size_t> JsonFields::choice(std::string_view key, const std::vector<std::string_view>& names, std::string_view missing) {
  std::optional<std::string> text = TRY(optional_string(key));
  if (!text && missing.empty()) return error("{}: missing", where(key));
  auto it = std::find(names.begin(), names.end(), text ? *text : missing);
  if (it == names.end())
    return error("{}: \"{}\" is not supported; supported are {}", where(key), *text, fmt::join(names, ", "));
  return static_cast<size_t>(it - names.begin());
}

Status JsonFields::must_be_empty(std::string_view key) {
  const Json* value = find(key);
  if (value == nullptr || (value->is_string() && value->get_ref<const std::string&>().empty())) return {};
  return error("{}: {} is not supported, only null", where(key), shown_json(*value));
}

Status JsonFields::no_others() const {
  for (const auto& [key, value] : object_->items()) {
    if (std::find(seen_.begin(), seen_.end(), key) == seen_.end())
      return error("{}.{}: this option is not supported", where_, key);
  }
  return {};
}

}  // namespace minke
