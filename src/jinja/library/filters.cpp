#include "jinja/library/filters.h"

#include <algorithm>

#include "jinja/value/operators.h"
#include "jinja/value/text.h"

namespace minke::jinja {

namespace {

// Filters of Jinja2 that are left out on purpose.
constexpr std::string_view kRefused[] = {"attr", "pprint", "random", "striptags", "urlize", "wordwrap", "xmlattr"};

}  // namespace

const FunctionRow* find_filter(std::string_view name) {
  for (auto rows : {text_filters(), sequence_filters(), select_filters(), number_filters()}) {
    if (const FunctionRow* row = find_row(rows, name)) return row;
  }
  return nullptr;
}

std::string missing_filter_message(std::string_view name) {
  const bool refused = std::find(std::begin(kRefused), std::end(kRefused), name) != std::end(kRefused);
  return refused ? fmt::format("the filter '{}' is not supported", name) : fmt::format("No filter named '{}' found.", name);
}

Result<AttributePath> AttributePath::parse(Runtime& runtime, const Value* attribute) {
  AttributePath path;
  if (attribute == nullptr || attribute->is(Kind::kNone)) return path;
  if (!attribute->is_string()) {
    if (!attribute->is_integral()) return error("attribute must be str or int, not {}", type_name(*attribute));
    path.parts_.push_back(*attribute);
    return path;
  }
  TRY(runtime.reserve_product(attribute->text().size(), sizeof(Value)));
  for (std::string_view part : split(attribute->text(), ".", -1)) {
    const bool is_index = !part.empty() && part.size() < 18 && part.find_first_not_of("0123456789") == std::string_view::npos;
    path.parts_.push_back(is_index ? Value(Int{std::stoll(std::string(part))}) : TRY(runtime.string(std::string(part))));
  }
  return path;
}

Result<Value> AttributePath::get(Runtime& runtime, const Value& item, const Value* fallback) const {
  Value value = item;
  for (const Value& part : parts_) {
    value = TRY(get_item(runtime, value, part));
    if (value.is(Kind::kUndefined) && fallback != nullptr && !fallback->is(Kind::kNone)) value = *fallback;
  }
  return value;
}

}  // namespace minke::jinja
