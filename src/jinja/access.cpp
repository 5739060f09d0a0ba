// Items, attributes, slices and iteration: the part of operators.h that looks into values. Attribute and item access fall
// back on each other as the environment of Jinja2 does ("Implementation" notes under "Variables" in its documentation).
#include <algorithm>

#include "jinja/library/methods.h"
#include "jinja/value/operators.h"
#include "jinja/value/repr.h"
#include "jinja/value/text.h"

namespace minke::jinja {

namespace {

tl::unexpected<Error> unsafe(const Value& object, std::string_view name) {
  return error("access to attribute '{}' of '{}' object is unsafe", name, type_name(object));
}

std::string owner_name(const Value& object) {
  if (object.is(Kind::kNone)) return "None";
  return fmt::format("'{} object'", type_name(object));
}

Result<Value> missing_attribute(Runtime& runtime, const Value& object, std::string_view name) {
  return runtime.undefined(fmt::format("{} has no attribute '{}'", owner_name(object), name));
}

// Attributes that are data, not methods; none when there is no such attribute.
Result<std::optional<Value>> data_attribute(Runtime& runtime, const Value& object, std::string_view name) {
  if (object.is(Kind::kNamespace)) {
    const Value* held = object.name_space().find(name);
    TRY(runtime.touch(object.name_space().attributes.size() * sizeof(Value)));
    return held == nullptr ? std::optional<Value>() : *held;
  }
  if (object.is(Kind::kLoop)) return loop_attribute(runtime, object.loop(), name);
  if (object.is(Kind::kMacro)) return macro_attribute(runtime, object.macro(), name);
  if (object.is(Kind::kSequence) && object.sequence().style == SequenceStyle::kGroup) {
    if (name == "grouper") return object.sequence().items[0];
    if (name == "list") return object.sequence().items[1];
  }
  return std::optional<Value>();
}

// An attribute or a bound method; none without, an error where the sandbox forbids it.
Result<std::optional<Value>> find_attribute(Runtime& runtime, const Value& object, std::string_view name) {
  auto data = TRY(data_attribute(runtime, object, name));
  if (data) return data;
  if (name.starts_with("__")) return unsafe(object, name);
  const MethodLookup method = find_method(object, name);
  switch (method.status) {
    case MethodStatus::kFound:
      return std::optional<Value>(TRY(runtime.bound(method.row, object)));
    case MethodStatus::kForbidden:
      return unsafe(object, name);
    case MethodStatus::kUnsupported:
      return error("the method '{}' of '{}' is not supported", name, type_name(object));
    case MethodStatus::kNone:
      return std::optional<Value>();
  }
  return std::optional<Value>();
}

// A Python index: negative counts from the end. None when it is outside.
std::optional<size_t> resolve_index(Int index, size_t size) {
  if (index < 0) index += static_cast<Int>(size);
  if (index < 0 || index >= static_cast<Int>(size)) return std::nullopt;
  return static_cast<size_t>(index);
}

Result<Value> character_at(Runtime& runtime, const Value& object, size_t index) {
  const String& string = object.string();
  if (string.is_ascii()) return runtime.string_like(object, std::string(1, string.text[index]));
  TRY(runtime.touch(string.text.size()));
  const std::string_view rest = std::string_view(string.text).substr(byte_offset(string.text, index));
  return runtime.string_like(object, std::string(rest.substr(0, byte_offset(rest, 1))));
}

// object[key] without the fallback on attributes; none when there is no such item.
Result<std::optional<Value>> find_item(Runtime& runtime, const Value& object, const Value& key) {
  if (object.is(Kind::kDict)) {
    if (!is_hashable(key)) return std::optional<Value>();
    TRY(runtime.touch(key.is_string() ? key.text().size() : object.dict().entries.size() * sizeof(Value)));
    const Value* held = object.dict().find(key);
    return held == nullptr ? std::optional<Value>() : *held;
  }
  if (!key.is_integral()) return std::optional<Value>();
  if (object.is_string()) {
    const auto index = resolve_index(key.integer(), object.string().n_chars);
    return index ? std::optional(TRY(character_at(runtime, object, *index))) : std::nullopt;
  }
  if (object.is(Kind::kSequence) && object.sequence().indexable()) {
    const auto index = resolve_index(key.integer(), object.sequence().items.size());
    return index ? std::optional(object.sequence().items[*index]) : std::nullopt;
  }
  return std::optional<Value>();
}

struct SliceRange {
  Int start, stop, step;
  size_t count() const {
    if (step > 0) return start < stop ? static_cast<size_t>((stop - start - 1) / step + 1) : 0;
    return start > stop ? static_cast<size_t>((start - stop - 1) / -step + 1) : 0;
  }
};

// docs.python.org/3/reference/datamodel.html "slice.indices".
Result<SliceRange> resolve_slice(const Value& start, const Value& stop, const Value& step, Int size) {
  for (const Value* bound : {&start, &stop, &step}) {
    TRY(require_defined(*bound));
    if (!bound->is(Kind::kNone) && !bound->is_integral()) return error("slice indices must be integers or None");
  }
  SliceRange range;
  range.step = step.is(Kind::kNone) ? 1 : step.integer();
  if (range.step == 0) return error("slice step cannot be zero");
  const Int lowest = range.step > 0 ? 0 : -1, highest = range.step > 0 ? size : size - 1;
  auto bound_or = [&](const Value& bound, Int fallback) {
    if (bound.is(Kind::kNone)) return fallback;
    const Int index = bound.integer() < 0 ? bound.integer() + size : bound.integer();
    return std::clamp(index, lowest, highest);
  };
  range.start = bound_or(start, range.step > 0 ? lowest : highest);
  range.stop = bound_or(stop, range.step > 0 ? highest : lowest);
  return range;
}

Result<Value> slice_string(Runtime& runtime, const Value& object, const SliceRange& range) {
  const std::string& text = object.string().text;
  const size_t n = range.count();
  TRY(runtime.touch(text.size()));
  if (n == 0) return runtime.string_like(object, "");
  if (range.step == 1) {
    if (object.string().is_ascii()) return runtime.string_like(object, text.substr(static_cast<size_t>(range.start), n));
    const size_t begin = byte_offset(text, static_cast<size_t>(range.start));
    return runtime.string_like(object, text.substr(begin, byte_offset(std::string_view(text).substr(begin), n)));
  }
  TRY(runtime.reserve_product(object.string().n_chars, sizeof(std::string_view)));
  const auto pieces = characters(text);
  std::string out;
  Int at = range.start;
  for (size_t i = 0; i < n; ++i, at += range.step) out += pieces[static_cast<size_t>(at)];
  return runtime.string_like(object, std::move(out));
}

}  // namespace

Result<Value> get_attribute(Runtime& runtime, const Value& object, const Ref<const String>& name) {
  TRY(require_defined(object));
  auto attribute = TRY(find_attribute(runtime, object, name->text));
  if (attribute) return std::move(*attribute);
  if (object.is(Kind::kDict)) {
    if (const Value* held = object.dict().find(name->text)) return *held;
  } else if (name->text.starts_with('_')) {
    return unsafe(object, name->text);
  }
  return missing_attribute(runtime, object, name->text);
}

Result<Value> get_item(Runtime& runtime, const Value& object, const Value& key) {
  TRY(require_defined(object));
  auto item = TRY(find_item(runtime, object, key));
  if (item) return std::move(*item);
  if (key.is_string()) {
    auto attribute = TRY(find_attribute(runtime, object, key.text()));
    if (attribute) return std::move(*attribute);
    return missing_attribute(runtime, object, key.text());
  }
  std::string shown = key.is_integral() ? int_text(key.integer()) : std::string(type_name(key));
  return runtime.undefined(fmt::format("{} has no element {}", owner_name(object), shown));
}

Result<Value> get_slice(Runtime& runtime, const Value& object, const Value& start, const Value& stop, const Value& step) {
  TRY(require_defined(object));
  const bool is_sequence = object.is(Kind::kSequence) && object.sequence().indexable();
  if (!object.is_string() && !is_sequence) return error("'{}' object cannot be sliced", type_name(object));
  const size_t size = object.is_string() ? object.string().n_chars : object.sequence().items.size();
  const SliceRange range = TRY(resolve_slice(start, stop, step, static_cast<Int>(size)));
  if (object.is_string()) return slice_string(runtime, object, range);
  const Sequence& sequence = object.sequence();
  const size_t n = range.count();
  TRY(runtime.reserve(n * sizeof(Value)));
  std::vector<Value> items;
  items.reserve(n);
  Int at = range.start;
  for (size_t i = 0; i < n; ++i, at += range.step) items.push_back(sequence.items[static_cast<size_t>(at)]);
  if (sequence.style == SequenceStyle::kRange) {
    const Int step_between = n > 1 ? items[1].integer() - items[0].integer() : range.step;
    return range_value(runtime, std::move(items), step_between);
  }
  return runtime.sequence(sequence.is_tuple() ? SequenceStyle::kTuple : SequenceStyle::kList, std::move(items));
}

Result<std::vector<Value>> iterate(Runtime& runtime, const Value& value) {
  std::vector<Value> items;
  switch (value.kind()) {
    case Kind::kUndefined:
      return items;
    case Kind::kString: {
      TRY(runtime.reserve_product(value.string().n_chars, sizeof(Value) + sizeof(String)));
      for (std::string_view piece : characters(value.text())) items.push_back(TRY(runtime.string(std::string(piece))));
      return items;
    }
    case Kind::kDict:
      TRY(runtime.touch(value.dict().entries.size() * sizeof(Value)));
      TRY(runtime.reserve_product(value.dict().entries.size(), sizeof(Value)));
      for (const auto& entry : value.dict().entries) items.push_back(entry.first);
      return items;
    case Kind::kSequence: {
      Sequence& sequence = value.sequence();
      TRY(runtime.touch(sequence.items.size() * sizeof(Value)));
      if (sequence.style != SequenceStyle::kGenerator) {
        TRY(runtime.reserve_product(sequence.items.size(), sizeof(Value)));
        return sequence.items;
      }
      if (!sequence.consumed) items = std::move(sequence.items);
      sequence.items.clear();
      sequence.consumed = true;
      return items;
    }
    default:
      return error("'{}' object is not iterable", type_name(value));
  }
}

Result<size_t> length(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return size_t{0};
    case Kind::kString:
      return value.string().n_chars;
    case Kind::kDict:
      return value.dict().entries.size();
    case Kind::kLoop:
      return value.loop().items.size();
    case Kind::kSequence:
      if (value.sequence().has_length()) return value.sequence().items.size();
      break;
    default:
      break;
  }
  return error("object of type '{}' has no len()", type_name(value));
}

}  // namespace minke::jinja
