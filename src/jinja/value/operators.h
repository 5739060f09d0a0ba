// The operators of the expression language, as Python defines them for its types. Messages are those of Python where it has
// one.
#pragma once

#include <string_view>
#include <vector>

#include "jinja/runtime.h"
#include "jinja/syntax/ast.h"

namespace minke::jinja {

// An error when the value is undefined: with its own message.
Status require_defined(const Value& value);

Result<Value> apply_unary(Runtime& runtime, UnaryOp op, const Value& operand);
Result<Value> apply_binary(Runtime& runtime, BinaryOp op, const Value& left, const Value& right);
Result<bool> apply_compare(Runtime& runtime, CompareOp op, const Value& left, const Value& right);

Result<bool> equals(Runtime& runtime, const Value& a, const Value& b);
// a < b; an error for types that have no order.
Result<bool> less(Runtime& runtime, const Value& a, const Value& b);
Result<bool> contains(Runtime& runtime, const Value& container, const Value& item);

// The items of anything that can be looped over: characters, keys, items. A generator is used up by it.
Result<std::vector<Value>> iterate(Runtime& runtime, const Value& value);
Result<size_t> length(const Value& value);

// object.name: an attribute or method, else the item of that name, else undefined.
Result<Value> get_attribute(Runtime& runtime, const Value& object, const Ref<const String>& name);
// object[key]: an item, else the attribute of that name, else undefined.
Result<Value> get_item(Runtime& runtime, const Value& object, const Value& key);
// object[start:stop:step]; none stands for a bound that is left out.
Result<Value> get_slice(Runtime& runtime, const Value& object, const Value& start, const Value& stop, const Value& step);

}  // namespace minke::jinja
