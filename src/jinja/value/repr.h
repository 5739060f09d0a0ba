// How values print: Python's str() and repr(), and json.dumps().
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "jinja/runtime.h"

namespace minke::jinja {

std::string int_text(Int i);
// repr() of a float: the shortest digits that give the same number back.
std::string float_repr(double d);
std::string string_repr(std::string_view text);

// str(value): what {{ value }} prints. Undefined prints as nothing.
Result<std::string> to_text(Runtime& runtime, const Value& value);
Result<std::string> to_repr(Runtime& runtime, const Value& value);

struct JsonStyle {
  bool ensure_ascii = false;
  std::optional<std::string> indent;
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool sort_keys = false;
};
// json.dumps() of Python.
Result<std::string> to_json_text(Runtime& runtime, const Value& value, const JsonStyle& style);

}  // namespace minke::jinja
