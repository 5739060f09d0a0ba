#include "jinja/runtime.h"

#include <algorithm>

#include "jinja/scope.h"
#include "jinja/value/text.h"

namespace minke::jinja {

namespace {
// What an object costs besides its text or items: header, control block, allocator slack.
constexpr size_t kObjectBytes = 96;
}  // namespace

Runtime::~Runtime() {
  for (auto& scope : kept_scopes_) scope->clear();
  for (auto& loop : kept_loops_) loop->last_changed.reset();
  for (auto& kept : kept_namespaces_) kept->attributes.clear();
}

Status Runtime::spend(size_t n_steps) {
  n_steps_ += n_steps;
  if (n_steps_ > limits_.max_steps) {
    return error("the template does too much work (limit: {} steps)", limits_.max_steps);
  }
  return {};
}

Status Runtime::reserve(size_t n_bytes) const {
  if (n_bytes > limits_.max_live_bytes || meter_.live_bytes > limits_.max_live_bytes - n_bytes) {
    return error("the template needs too much memory (limit: {} bytes)", limits_.max_live_bytes);
  }
  return {};
}

Status Runtime::reserve_product(size_t n, size_t n_bytes_each) const {
  size_t total;
  if (__builtin_mul_overflow(n, n_bytes_each, &total)) total = SIZE_MAX;
  return reserve(total);
}

Status Runtime::charge(Metered& object, size_t n_bytes) {
  TRY(touch(n_bytes));
  TRY(reserve(n_bytes));
  object.meter = &meter_;
  object.metered_bytes = n_bytes;
  meter_.live_bytes += n_bytes;
  return {};
}

Result<Value> Runtime::string(std::string text, bool is_markup) {
  auto made = std::make_shared<String>();
  TRY(charge(*made, kObjectBytes + text.capacity()));
  made->n_chars = count_chars(text);
  made->text = std::move(text);
  made->is_markup = is_markup;
  return Value(Ref<const String>(std::move(made)));
}

Result<Value> Runtime::string_like(const Value& original, std::string text) {
  return string(std::move(text), original.is_string() && original.string().is_markup);
}

Result<Value> Runtime::sequence(SequenceStyle style, std::vector<Value> items, std::string range_repr) {
  auto made = std::make_shared<Sequence>();
  TRY(charge(*made, kObjectBytes + items.capacity() * sizeof(Value) + range_repr.capacity()));
  for (const Value& item : items) made->depth = std::max(made->depth, item.depth() + 1);
  if (made->depth > limits_.max_value_depth) return error("lists nested more than {} deep", limits_.max_value_depth);
  made->style = style;
  made->items = std::move(items);
  made->range_repr = std::move(range_repr);
  return Value(std::move(made));
}

Result<Value> Runtime::integer(Int i) const {
  if (i < kMinInt || i > kMaxInt) return error("integer outside -2^63 .. 2^64-1");
  return Value(i);
}

Result<Value> Runtime::name_space() {
  auto made = std::make_shared<Namespace>();
  TRY(charge(*made, kObjectBytes));
  kept_namespaces_.push_back(made);
  return Value(std::move(made));
}

Status Runtime::assign(Namespace& target, std::string_view name, Value value) {
  TRY(touch(target.attributes.size() * sizeof(Value)));
  for (auto& [key, held] : target.attributes) {
    if (key != name) continue;
    held = std::move(value);
    return {};
  }
  const size_t n_bytes = sizeof(Value) * 2 + name.size();
  TRY(reserve(n_bytes));
  meter_.live_bytes += n_bytes;
  target.metered_bytes += n_bytes;
  target.attributes.emplace_back(name, std::move(value));
  return {};
}

Result<Value> Runtime::bound(const FunctionRow* row, Value self) {
  if (self.depth() + 1 > limits_.max_value_depth) return error("values nested more than {} deep", limits_.max_value_depth);
  auto made = std::make_shared<Function>();
  TRY(charge(*made, kObjectBytes));
  made->row = row;
  made->self = std::move(self);
  return Value(Ref<const Function>(std::move(made)));
}

Result<Value> Runtime::undefined(std::string message) {
  auto made = std::make_shared<Undefined>();
  TRY(charge(*made, kObjectBytes + message.capacity()));
  made->message = std::move(message);
  return Value(Ref<const Undefined>(std::move(made)));
}

Result<Value> Runtime::macro(const MacroNode& node, Ref<Scope> scope) {
  auto made = std::make_shared<Macro>();
  TRY(charge(*made, kObjectBytes));
  made->node = &node;
  made->scope = std::move(scope);
  return Value(Ref<const Macro>(std::move(made)));
}

Status Runtime::retain(size_t n_bytes) {
  TRY(reserve(n_bytes));
  meter_.live_bytes += n_bytes;
  return {};
}

Status Runtime::keep(Ref<Scope> scope) {
  TRY(retain(kObjectBytes + sizeof(Scope) + scope->variables.capacity() * sizeof(scope->variables[0])));
  kept_scopes_.push_back(std::move(scope));
  return {};
}

Result<Ref<Loop>> Runtime::loop(std::vector<Value> items) {
  auto made = std::make_shared<Loop>();
  TRY(charge(*made, kObjectBytes + items.capacity() * sizeof(Value)));
  for (const Value& item : items) made->value_depth = std::max(made->value_depth, item.depth() + 1);
  if (made->value_depth > limits_.max_value_depth) return error("values nested more than {} deep", limits_.max_value_depth);
  made->items = std::move(items);
  return made;
}

Status DictBuilder::add(Value key, Value value) {
  if (!is_hashable(key)) return error("a {} cannot be a key of a dict", type_name(key));
  TRY(runtime_.touch(key.is_string() ? 0 : entries_.size() * sizeof(Value)));
  if (key.is_string()) {
    auto [position, is_new] = positions_.emplace(key.text(), entries_.size());
    if (!is_new) {
      entries_[position->second].second = std::move(value);
      return {};
    }
  } else {
    for (auto& entry : entries_) {
      if (!same_key(entry.first, key)) continue;
      entry.second = std::move(value);
      return {};
    }
  }
  entries_.emplace_back(std::move(key), std::move(value));
  return {};
}

Result<Value> DictBuilder::finish() {
  auto made = std::make_shared<Dict>();
  TRY(runtime_.charge(*made, kObjectBytes + entries_.capacity() * sizeof(Dict::Entry) * 2));
  const int max_depth = runtime_.limits().max_value_depth;
  for (const auto& [key, value] : entries_) made->depth = std::max(made->depth, value.depth() + 1);
  if (made->depth > max_depth) return error("dicts nested more than {} deep", max_depth);
  made->entries = std::move(entries_);
  made->index_keys();
  return Value(Ref<const Dict>(std::move(made)));
}

}  // namespace minke::jinja
