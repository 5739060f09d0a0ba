// Filters that apply another filter or a test to every item: map, select, reject and their attr forms.
#include "jinja/library/filters.h"
#include "jinja/library/predicates.h"
#include "jinja/value/operators.h"

namespace minke::jinja {

namespace {

// The items, or none of them for anything false: these filters do not look at what they need not.
Result<std::vector<Value>> items_of(Runtime& runtime, const Value& value) {
  if (!truthy(value)) return std::vector<Value>();
  return iterate(runtime, value);
}

Result<Value> map(Runtime& runtime, const Value& self, const Arguments& args) {
  const CallArguments& given = args.raw();
  std::vector<Value> mapped;
  if (given.positional.empty()) {
    const Value *attribute = nullptr, *fallback = nullptr;
    for (const auto& [name, value] : given.named) {
      if (name->text != "attribute" && name->text != "default") return error("map has no argument '{}'", name->text);
      (name->text == "attribute" ? attribute : fallback) = &value;
    }
    if (attribute == nullptr) return error("map requires a filter argument");
    const AttributePath path = TRY(AttributePath::parse(runtime, attribute));
    for (const Value& item : TRY(items_of(runtime, self))) mapped.push_back(TRY(path.get(runtime, item, fallback)));
    return runtime.generator(std::move(mapped));
  }
  if (!given.positional[0].is_string()) return error("map requires the name of a filter");
  const FunctionRow* filter = find_filter(given.positional[0].text());
  if (filter == nullptr) return error("{}", missing_filter_message(given.positional[0].text()));
  if (filter->native == map) return error("map cannot be applied by map");
  const CallArguments rest{{given.positional.begin() + 1, given.positional.end()}, given.named};
  for (const Value& item : TRY(items_of(runtime, self))) mapped.push_back(TRY(call_native(runtime, *filter, item, rest)));
  return runtime.generator(std::move(mapped));
}

template <bool keeps, bool by_attribute>
Result<Value> select(Runtime& runtime, const Value& self, const Arguments& args) {
  const CallArguments& given = args.raw();
  size_t n_used = 0;
  AttributePath path;
  if (by_attribute) {
    if (given.positional.empty()) return error("missing parameter for attribute name");
    path = TRY(AttributePath::parse(runtime, &given.positional[0]));
    n_used = 1;
  }
  const FunctionRow* test = nullptr;
  CallArguments rest;
  if (given.positional.size() > n_used) {
    const Value& name = given.positional[n_used];
    if (!name.is_string()) return error("the name of a test must be str, not {}", type_name(name));
    test = find_test(name.text());
    if (test == nullptr) return error("No test named '{}' found.", name.text());
    rest = {{given.positional.begin() + static_cast<ptrdiff_t>(n_used) + 1, given.positional.end()}, given.named};
  }
  std::vector<Value> kept;
  for (const Value& item : TRY(items_of(runtime, self))) {
    const Value subject = TRY(path.get(runtime, item));
    const bool passes = test == nullptr ? truthy(subject) : truthy(TRY(call_native(runtime, *test, subject, rest)));
    if (passes == keeps) kept.push_back(item);
  }
  return runtime.generator(std::move(kept));
}

constexpr FunctionRow kSelectFilters[] = {
    {"map", map, {}, 0, true},
    {"reject", select<false, false>, {}, 0, true},
    {"rejectattr", select<false, true>, {}, 0, true},
    {"select", select<true, false>, {}, 0, true},
    {"selectattr", select<true, true>, {}, 0, true},
};

}  // namespace

std::span<const FunctionRow> select_filters() { return kSelectFilters; }

}  // namespace minke::jinja
