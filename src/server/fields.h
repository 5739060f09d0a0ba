// The fields of a request's JSON object, read once each with their ranges. The first thing that is wrong is remembered and
// everything after it is harmless, so a dialect reads all its fields and asks finish() once. Fields that nobody read, refused
// or ignored are refused by name: what a client asked for is never dropped silently.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "server/model/api_error.h"

namespace minke::server {

// The error of one request, which all its objects share.
struct FieldErrors {
  std::optional<ApiError> first;
  void add(ApiError error) {
    if (!first) first = std::move(error);
  }
};

class Fields {
 public:
  // `path` is put before names in errors: "messages[2]". A value that is no object is an error, and has no fields.
  Fields(const Json& value, std::string path, FieldErrors& errors);

  // A field that is missing or null is none in all of these.
  std::optional<bool> boolean(std::string_view key);
  std::optional<int64_t> integer(std::string_view key, int64_t least, int64_t most);
  std::optional<double> number(std::string_view key, double least, double most);
  std::optional<std::string> text(std::string_view key);
  std::string text_or_empty(std::string_view key) { return text(key).value_or(std::string()); }
  std::string required_text(std::string_view key);
  // Index of one of the names; they are listed in the error.
  std::optional<size_t> one_of(std::string_view key, std::initializer_list<std::string_view> names);
  // Null when missing; an error when longer than most.
  const Json* array(std::string_view key, size_t most);
  const Json* object(std::string_view key);
  // Whatever type it has; null when missing or null.
  const Json* any(std::string_view key);
  // A string, or a list of strings.
  std::vector<std::string> texts(std::string_view key, size_t most);

  // Known to change nothing that a client could rely on.
  void ignore(std::initializer_list<std::string_view> keys);
  // Known and not supported: an error unless missing, null, false, or an empty list, object or string.
  void refuse(std::initializer_list<std::string_view> keys);
  void fail(std::string_view key, std::string message);
  std::string name_of(std::string_view key) const;
  // Refuses what is left.
  void finish();

 private:
  const Json* take(std::string_view key);

  const Json* value_;  // null when it is no object
  std::string path_;
  FieldErrors& errors_;
  std::vector<std::string_view> seen_;
};

}  // namespace minke::server
