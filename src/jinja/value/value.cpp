#include "jinja/value/value.h"

#include <cmath>

#include "base/check.h"
#include "base/utf8.h"
#include "jinja/value/text.h"

namespace minke::jinja {

std::string_view Value::text() const { return string().text; }

const void* Value::identity() const {
  return std::visit(
      [](const auto& held) -> const void* {
        if constexpr (requires { held.get(); }) {
          return held.get();
        } else {
          return nullptr;
        }
      },
      data_);
}

int Value::depth() const {
  switch (kind()) {
    case Kind::kSequence:
      return sequence().depth;
    case Kind::kDict:
      return dict().depth;
    case Kind::kLoop:
      return loop().value_depth + 1;
    case Kind::kFunction:
      return function().self.depth() + 1;
    default:
      return 0;
  }
}

Ref<const String> make_constant_string(std::string text) {
  auto string = std::make_shared<String>();
  string->n_chars = count_chars(text);
  string->text = std::move(text);
  return string;
}

namespace {

constexpr size_t kIndexedDictSize = 12;  // below this a scan of the entries is as fast

// The number behind a key, so that 1, 1.0 and True meet; none for other kinds.
std::optional<double> numeric_key(const Value& v) {
  if (!v.is_number()) return std::nullopt;
  return v.number();
}

}  // namespace

void Dict::index_keys() {
  if (entries.size() < kIndexedDictSize) return;
  string_index_.reserve(entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].first.is_string()) string_index_.emplace(entries[i].first.text(), i);
  }
}

const Value* Dict::find(std::string_view key) const {
  if (!string_index_.empty()) {
    auto it = string_index_.find(key);
    return it == string_index_.end() ? nullptr : &entries[it->second].second;
  }
  for (const auto& [name, value] : entries) {
    if (name.is_string() && name.text() == key) return &value;
  }
  return nullptr;
}

const Value* Dict::find(const Value& key) const {
  if (key.is_string()) return find(key.text());
  for (const auto& [name, value] : entries) {
    if (same_key(name, key)) return &value;
  }
  return nullptr;
}

const Value* Namespace::find(std::string_view name) const {
  for (const auto& [key, value] : attributes) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::string_view type_name(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return value.string().is_markup ? "Markup" : "str";
    case Kind::kDict:
      return "dict";
    case Kind::kNamespace:
      return "Namespace";
    case Kind::kLoop:
      return "LoopContext";
    case Kind::kMacro:
      return "Macro";
    case Kind::kFunction:
      return "function";
    case Kind::kSequence:
      break;
  }
  switch (value.sequence().style) {
    case SequenceStyle::kList:
      return "list";
    case SequenceStyle::kTuple:
      return "tuple";
    case SequenceStyle::kGroup:
      return "_GroupTuple";
    case SequenceStyle::kRange:
      return "range";
    case SequenceStyle::kKeysView:
      return "dict_keys";
    case SequenceStyle::kValuesView:
      return "dict_values";
    case SequenceStyle::kItemsView:
      return "dict_items";
    case SequenceStyle::kGenerator:
      return "generator";
  }
  CHECK(false, "style {}", static_cast<int>(value.sequence().style));
}

bool truthy(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
      return value.boolean();
    case Kind::kInt:
      return value.integer() != 0;
    case Kind::kFloat:
      return value.number() != 0;
    case Kind::kString:
      return !value.text().empty();
    case Kind::kSequence:
      return !value.sequence().has_length() || !value.sequence().items.empty();
    case Kind::kDict:
      return !value.dict().entries.empty();
    case Kind::kLoop:
    case Kind::kNamespace:
    case Kind::kMacro:
    case Kind::kFunction:
      return true;
  }
  CHECK(false, "kind {}", static_cast<int>(value.kind()));
}

bool is_hashable(const Value& value) { return value.is(Kind::kNone) || value.is_number() || value.is_string(); }

bool same_key(const Value& a, const Value& b) {
  if (a.is_string() && b.is_string()) return a.text() == b.text();
  if (a.is_integral() && b.is_integral()) return a.integer() == b.integer();
  if (a.is(Kind::kNone) && b.is(Kind::kNone)) return true;
  auto x = numeric_key(a);
  auto y = numeric_key(b);
  return x && y && *x == *y;
}

}  // namespace minke::jinja
