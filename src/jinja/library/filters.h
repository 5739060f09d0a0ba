// The filters of the template language: {{ value | name(arguments) }}.
#pragma once

#include <string>
#include <string_view>

#include "jinja/value/native.h"

namespace minke::jinja {

// Null when there is no such filter.
const FunctionRow* find_filter(std::string_view name);

// What to say about a filter that is not there.
std::string missing_filter_message(std::string_view name);

// The rows, by what they work on.
std::span<const FunctionRow> text_filters();
std::span<const FunctionRow> sequence_filters();
std::span<const FunctionRow> select_filters();
std::span<const FunctionRow> number_filters();

// The part "a.0.b" of an item, as the attribute argument of many filters names it.
class AttributePath {
 public:
  // None and a missing argument are the empty path: the item itself.
  static Result<AttributePath> parse(Runtime& runtime, const Value* attribute);
  // Missing parts become the fallback when there is one.
  Result<Value> get(Runtime& runtime, const Value& item, const Value* fallback = nullptr) const;

 private:
  std::vector<Value> parts_;
};

}  // namespace minke::jinja
