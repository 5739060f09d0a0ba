// Methods of values and the data attributes of loops and macros.
#pragma once

#include <optional>
#include <string_view>

#include "jinja/value/native.h"

namespace minke::jinja {

enum class MethodStatus {
  kNone,  // Python has no such attribute either
  kFound,
  kForbidden,    // it would change the object: the immutable sandbox refuses
  kUnsupported,  // Python has it, this interpreter does not
};

struct MethodLookup {
  MethodStatus status = MethodStatus::kNone;
  const FunctionRow* row = nullptr;
};

MethodLookup find_method(const Value& object, std::string_view name);

// loop.index and the like (methods cycle and changed come from find_method); none when there is no such attribute.
Result<std::optional<Value>> loop_attribute(Runtime& runtime, const Loop& loop, std::string_view name);
Result<std::optional<Value>> macro_attribute(Runtime& runtime, const Macro& macro, std::string_view name);

// A range with these items, printing as Python's.
Result<Value> range_value(Runtime& runtime, std::vector<Value> items, Int step);

// The rows of the methods, by type.
std::span<const FunctionRow> string_methods();

}  // namespace minke::jinja
