// Typed reading of a JSON object whose every key must be known. Errors name the file, the path of the key, what was expected
// and what is there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace minke {

// A short rendering of a value for error messages.
std::string shown_json(const Json& value);

class JsonFields {
 public:
  // `where` is "file: path of this object".
  static Result<JsonFields> of(const Json& value, std::string where);

  // The value; null when the key is missing or its value is null.
  const Json* find(std::string_view key);
  std::string where(std::string_view key) const { return fmt::format("{}.{}", where_, key); }

  Result<std::string> string(std::string_view key);
  Result<std::optional<std::string>> optional_string(std::string_view key);
  Result<bool> boolean(std::string_view key, bool missing);
  Result<int64_t> integer(std::string_view key);
  // One of the names; its index.
  Result<size_t> choice(std::string_view key, const std::vector<std::string_view>& names, std::string_view missing);
  // null, "" or missing; anything else is refused.
  Status must_be_empty(std::string_view key);
  // Keys that are read elsewhere or have no effect here.
  void ignore(std::string_view key) { find(key); }

  // An error if the object has a key that nobody asked for: it might change what the tokenizer does.
  Status no_others() const;

 private:
  const Json* object_ = nullptr;
  std::string where_;
  std::vector<std::string> seen_;
};

}  // namespace minke
