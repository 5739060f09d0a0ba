// JSON of files and requests. Include nlohmann/json.hpp only in .cpp files that walk a Json: it costs seconds to compile.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/error.h"

namespace minke {

using Json = nlohmann::ordered_json;  // keeps the order of keys, as chat templates and round trips need

struct JsonLimits {
  size_t max_depth = 128;
};

// Strict RFC 8259: one value, UTF-8, no duplicate keys, bounded depth, no trailing bytes but white space.
// Errors name `where` and the byte offset.
Result<Json> parse_json(std::string_view text, std::string_view where, JsonLimits limits = {});

// Reads and parses a file of at most max_bytes.
Result<Json> read_json_file(const std::string& path, size_t max_bytes = size_t{256} << 20);

// JSON text: UTF-8 kept as it is, invalid bytes replaced by U+FFFD. indent < 0 is one line.
std::string dump_json(const Json& value, int indent = -1);

}  // namespace minke
