// Methods of dict, list, tuple and loop, the attributes of loop and macros, and the list of what is refused.
#include "jinja/library/methods.h"

#include <algorithm>

#include "jinja/syntax/ast.h"
#include "jinja/value/operators.h"
#include "jinja/value/repr.h"

namespace minke::jinja {

namespace {

Result<Value> dict_get(Runtime& runtime, const Value& self, const Arguments& args) {
  if (!args.at(0).is(Kind::kUndefined) && !is_hashable(args.at(0)))
    return error("unhashable type: '{}'", type_name(args.at(0)));
  TRY(runtime.touch(args.at(0).is_string() ? 0 : self.dict().entries.size() * sizeof(Value)));
  const Value* held = args.at(0).is(Kind::kUndefined) ? nullptr : self.dict().find(args.at(0));
  if (held != nullptr) return *held;
  return args.has(1) ? args.at(1) : Value(NoneType{});
}

Result<Value> dict_view(Runtime& runtime, const Value& self, SequenceStyle style) {
  const auto& entries = self.dict().entries;
  TRY(runtime.reserve_product(entries.size(), sizeof(Value)));
  std::vector<Value> items;
  items.reserve(entries.size());
  for (const auto& [key, value] : entries) {
    if (style == SequenceStyle::kItemsView) {
      items.push_back(TRY(runtime.tuple({key, value})));
    } else {
      items.push_back(style == SequenceStyle::kKeysView ? key : value);
    }
  }
  return runtime.sequence(style, std::move(items));
}

template <SequenceStyle style>
Result<Value> view(Runtime& runtime, const Value& self, const Arguments&) {
  return dict_view(runtime, self, style);
}

Result<Value> same(Runtime&, const Value& self, const Arguments&) { return self; }

Result<Value> sequence_count(Runtime& runtime, const Value& self, const Arguments& args) {
  Int n = 0;
  for (const Value& item : self.sequence().items) n += TRY(equals(runtime, item, args.at(0)));
  return Value(n);
}

Result<Value> sequence_index(Runtime& runtime, const Value& self, const Arguments& args) {
  const auto& items = self.sequence().items;
  const auto size = static_cast<Int>(items.size());
  auto bound = [&](Int i) { return std::clamp<Int>(i < 0 ? i + size : i, 0, size); };
  const Int start = bound(TRY(args.integer(1, 0))), stop = bound(TRY(args.integer(2, size)));
  for (Int i = start; i < stop; ++i) {
    if (TRY(equals(runtime, items[static_cast<size_t>(i)], args.at(0)))) return Value(i);
  }
  return error("the value is not in the {}", type_name(self));
}

Result<Value> loop_cycle(Runtime&, const Value& self, const Arguments& args) {
  const auto& values = args.raw().positional;
  if (values.empty()) return error("no items for cycling given");
  return values[self.loop().index0 % values.size()];
}

Result<Value> loop_changed(Runtime& runtime, const Value& self, const Arguments& args) {
  Loop& loop = self.loop();
  const auto& values = args.raw().positional;
  bool is_same = loop.last_changed && loop.last_changed->size() == values.size();
  for (size_t i = 0; is_same && i < values.size(); ++i) is_same = TRY(equals(runtime, (*loop.last_changed)[i], values[i]));
  if (is_same) return Value(false);
  for (const Value& value : values) {
    if (value.identity() != nullptr && value.depth() >= runtime.limits().max_value_depth)
      return error("values nested too deeply");
  }
  if (!loop.last_changed) runtime.keep(self.loop_ref());
  loop.last_changed = values;
  return Value(true);
}

constexpr FunctionRow kDictMethods[] = {
    {"copy", same},
    {"get", dict_get, {"/key", "/default"}, 1},
    {"items", view<SequenceStyle::kItemsView>},
    {"keys", view<SequenceStyle::kKeysView>},
    {"values", view<SequenceStyle::kValuesView>},
};
constexpr FunctionRow kListMethods[] = {
    {"copy", same},
    {"count", sequence_count, {"/value"}, 1},
    {"index", sequence_index, {"/value", "/start", "/stop"}, 1},
};
constexpr FunctionRow kLoopMethods[] = {
    {"cycle", loop_cycle, {}, 0, true},
    {"changed", loop_changed, {}, 0, true},
};

// Methods that change their object.
constexpr std::string_view kForbiddenOfDict[] = {"clear", "pop", "popitem", "setdefault", "update"};
constexpr std::string_view kForbiddenOfList[] = {"append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"};
// Attributes that Python has and this interpreter does not: refused, lest they look undefined.
constexpr std::string_view kUnsupportedOfString[] = {"encode",    "expandtabs",  "format_map", "isidentifier",
                                                     "isnumeric", "isprintable", "maketrans",  "translate"};
constexpr std::string_view kUnsupportedOfDict[] = {"fromkeys"};
constexpr std::string_view kUnsupportedOfNumber[] = {"as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator",
                                                     "from_bytes",       "fromhex",   "hex",        "imag",      "is_integer",
                                                     "numerator",        "real",      "to_bytes"};

template <size_t n>
bool listed(const std::string_view (&names)[n], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

MethodLookup lookup(std::span<const FunctionRow> rows, std::string_view name) {
  const FunctionRow* row = find_row(rows, name);
  return {row == nullptr ? MethodStatus::kNone : MethodStatus::kFound, row};
}

}  // namespace

MethodLookup find_method(const Value& object, std::string_view name) {
  switch (object.kind()) {
    case Kind::kString:
      if (listed(kUnsupportedOfString, name)) return {MethodStatus::kUnsupported};
      return lookup(string_methods(), name);
    case Kind::kDict:
      if (listed(kForbiddenOfDict, name)) return {MethodStatus::kForbidden};
      if (listed(kUnsupportedOfDict, name)) return {MethodStatus::kUnsupported};
      return lookup(kDictMethods, name);
    case Kind::kSequence: {
      const Sequence& sequence = object.sequence();
      if (sequence.style == SequenceStyle::kList) {
        if (listed(kForbiddenOfList, name)) return {MethodStatus::kForbidden};
        return lookup(kListMethods, name);
      }
      return sequence.indexable() && name != "copy" ? lookup(kListMethods, name) : MethodLookup();
    }
    case Kind::kLoop:
      return lookup(kLoopMethods, name);
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kFloat:
      return {listed(kUnsupportedOfNumber, name) ? MethodStatus::kUnsupported : MethodStatus::kNone};
    default:
      return {};
  }
}

Result<std::optional<Value>> loop_attribute(Runtime& runtime, const Loop& loop, std::string_view name) {
  const auto index0 = static_cast<Int>(loop.index0), size = static_cast<Int>(loop.items.size());
  auto integer = [](Int i) { return std::optional<Value>(Value(i)); };
  if (name == "index") return integer(index0 + 1);
  if (name == "index0") return integer(index0);
  if (name == "revindex") return integer(size - index0);
  if (name == "revindex0") return integer(size - index0 - 1);
  if (name == "length") return integer(size);
  if (name == "depth") return integer(loop.depth0 + 1);
  if (name == "depth0") return integer(loop.depth0);
  if (name == "first") return std::optional(Value(index0 == 0));
  if (name == "last") return std::optional(Value(index0 + 1 == size));
  if (name == "previtem") {
    if (index0 == 0) return std::optional(TRY(runtime.undefined("there is no previous item")));
    return std::optional(loop.items[loop.index0 - 1]);
  }
  if (name == "nextitem") {
    if (index0 + 1 >= size) return std::optional(TRY(runtime.undefined("there is no next item")));
    return std::optional(loop.items[loop.index0 + 1]);
  }
  return std::optional<Value>();
}

Result<std::optional<Value>> macro_attribute(Runtime& runtime, const Macro& macro, std::string_view name) {
  const MacroNode& node = *macro.node;
  if (name == "name") return std::optional(Value(node.name));
  if (name == "catch_kwargs") return std::optional(Value(node.uses_kwargs));
  if (name == "catch_varargs") return std::optional(Value(node.uses_varargs));
  if (name == "caller") return std::optional(Value(node.uses_caller));
  if (name == "arguments") {
    std::vector<Value> names(node.parameters.begin(), node.parameters.end());
    return std::optional(TRY(runtime.tuple(std::move(names))));
  }
  return std::optional<Value>();
}

Result<Value> range_value(Runtime& runtime, std::vector<Value> items, Int step) {
  const Int start = items.empty() ? 0 : items.front().integer();
  const Int stop = items.empty() ? 0 : items.back().integer() + step;
  std::string shown = fmt::format("range({}, {}", start, stop) + (step == 1 ? ")" : fmt::format(", {})", step));
  return runtime.sequence(SequenceStyle::kRange, std::move(items), std::move(shown));
}

}  // namespace minke::jinja
