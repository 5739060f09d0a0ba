#include "jinja/value/native.h"

#include <algorithm>

#include "jinja/value/operators.h"

namespace minke::jinja {

Result<Int> Arguments::integer(size_t index, Int fallback) const {
  if (!has(index)) return fallback;
  TRY(require_defined(at(index)));
  if (!at(index).is_integral()) {
    return error("{}: {} must be an integer, not {}", row_->name, row_->parameters[index], type_name(at(index)));
  }
  return at(index).integer();
}

Result<std::string_view> Arguments::text(size_t index, std::string_view fallback) const {
  if (!has(index)) return fallback;
  TRY(require_defined(at(index)));
  if (!at(index).is_string()) {
    return error("{}: {} must be str, not {}", row_->name, row_->parameters[index], type_name(at(index)));
  }
  return at(index).text();
}

bool Arguments::flag(size_t index, bool fallback) const { return has(index) ? truthy(at(index)) : fallback; }

Result<std::optional<std::string_view>> Arguments::optional_text(size_t index) const {
  if (!has(index) || at(index).is(Kind::kNone)) return std::optional<std::string_view>();
  return std::optional(TRY(text(index, "")));
}

Result<Arguments> bind(const FunctionRow& row, const CallArguments& given) {
  Arguments bound;
  bound.raw_ = &given;
  bound.row_ = &row;
  if (row.is_variadic) return bound;
  const auto& parameters = row.parameters;
  const auto end = std::find(parameters.begin(), parameters.end(), std::string_view());
  const size_t n_parameters = static_cast<size_t>(end - parameters.begin());
  if (given.positional.size() > n_parameters) {
    return error("{} takes at most {} arguments, got {}", row.name, n_parameters, given.positional.size());
  }
  for (size_t i = 0; i < given.positional.size(); ++i) bound.slots_[i] = &given.positional[i];
  for (const auto& [name, value] : given.named) {
    const auto at = std::find(parameters.begin(), end, name->text);
    if (at == end) return error("{} has no argument '{}'", row.name, name->text);
    const Value*& slot = bound.slots_[static_cast<size_t>(at - parameters.begin())];
    if (slot != nullptr) return error("{} got two values for '{}'", row.name, name->text);
    slot = &value;
  }
  for (size_t i = 0; i < row.n_required; ++i) {
    if (!bound.has(i)) return error("{} needs the argument '{}'", row.name, parameters[i]);
  }
  return bound;
}

Result<Value> call_native(Runtime& runtime, const FunctionRow& row, const Value& self, const CallArguments& given) {
  TRY(runtime.step());
  const Arguments arguments = TRY(bind(row, given));
  return row.native(runtime, self, arguments);
}

const FunctionRow* find_row(std::span<const FunctionRow> rows, std::string_view name) {
  const auto it = std::find_if(rows.begin(), rows.end(), [&](const FunctionRow& row) { return row.name == name; });
  return it == rows.end() ? nullptr : &*it;
}

}  // namespace minke::jinja
