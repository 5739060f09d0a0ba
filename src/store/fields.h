// The fields of a JSON object, each read at most once with its type; finish() refuses those that nobody read.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "store/conversation.h"

namespace minke::store {

class Fields {
 public:
  static Result<Fields> of(const Json& value, std::string where);

  // Leave `out` as it is when the key is missing.
  Status read(const char* key, std::string& out);
  Status read(const char* key, int64_t& out);  // 0 or more
  Status read(const char* key, double& out);
  Status read(const char* key, bool& out);
  Status read(const char* key, std::optional<Id>& out);
  Result<Id> id(const char* key);  // must be there

  // Null when the key is missing.
  const Json* find(const char* key);
  Status finish(std::string_view more_key = "") const;
  const std::string& where() const { return where_; }

 private:
  Fields(const Json& value, std::string where) : value_(&value), where_(std::move(where)) {}
  tl::unexpected<Error> wrong_type(const char* key, std::string_view expected, const Json& value) const;
  const Json* value_;
  std::string where_;
  std::vector<std::string_view> known_;
};

}  // namespace minke::store
