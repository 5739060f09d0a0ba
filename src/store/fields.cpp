#include "store/fields.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace minke::store {

Result<Fields> Fields::of(const Json& value, std::string where) {
  if (!value.is_object()) return error("{}: expected an object, got {}", where, value.type_name());
  return Fields(value, std::move(where));
}

tl::unexpected<Error> Fields::wrong_type(const char* key, std::string_view expected, const Json& value) const {
  return error("{}: {}: expected {}, got {}", where_, key, expected, value.type_name());
}

const Json* Fields::find(const char* key) {
  known_.emplace_back(key);
  const auto found = value_->find(key);
  return found == value_->end() ? nullptr : &*found;
}

Status Fields::read(const char* key, std::string& out) {
  const Json* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_string()) return wrong_type(key, "text", *value);
  out = value->get_ref<const std::string&>();
  return {};
}

Status Fields::read(const char* key, int64_t& out) {
  const Json* value = find(key);
  if (value == nullptr) return {};
  // Parsed text gives unsigned numbers, values made here signed ones.
  const bool fits = value->is_number_integer() &&
                    (value->is_number_unsigned() ? value->get<uint64_t>() <= uint64_t{INT64_MAX} : value->get<int64_t>() >= 0);
  if (!fits) return wrong_type(key, "an integer from 0 up to 2^63-1", *value);
  out = value->get<int64_t>();
  return {};
}

Status Fields::read(const char* key, double& out) {
  const Json* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_number()) return wrong_type(key, "a number", *value);
  out = value->get<double>();
  return {};
}

Status Fields::read(const char* key, bool& out) {
  const Json* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_boolean()) return wrong_type(key, "true or false", *value);
  out = value->get<bool>();
  return {};
}

Status Fields::read(const char* key, std::optional<Id>& out) {
  if (find(key) == nullptr) return {};
  out = TRY(id(key));
  return {};
}

Result<Id> Fields::id(const char* key) {
  const Json* value = find(key);
  if (value == nullptr) return error("{}: {}: missing", where_, key);
  if (!value->is_string()) return wrong_type(key, "32 hex digits", *value);
  const auto parsed = Id::parse(value->get_ref<const std::string&>());
  if (!parsed) return error("{}: {}: expected 32 hex digits in lower case", where_, key);
  return *parsed;
}

Status Fields::finish(std::string_view more_key) const {
  for (const auto& [key, value] : value_->items()) {
    if (key != more_key && std::ranges::find(known_, key) == known_.end()) return error("{}: {}: unknown key", where_, key);
  }
  return {};
}

}  // namespace minke::store
