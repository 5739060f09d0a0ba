// What one rendering may use and how much of it is left: steps, memory, depth; and the only way to make values, so that
// every list and string is counted.
#pragma once

#include <ctime>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "jinja/template.h"
#include "jinja/value/value.h"

namespace minke::jinja {

class Runtime {
 public:
  Runtime(const TemplateLimits& limits, const RenderOptions& options) : limits_(limits), options_(options) {}
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  const TemplateLimits& limits() const { return limits_; }
  const RenderOptions& options() const { return options_; }

  // Work. step() is one node; touch() is work over so many bytes or items.
  Status step() { return spend(1); }
  Status touch(size_t n_bytes) { return spend(1 + n_bytes / 64); }

  // Memory. reserve() asks whether so much more could be made, before it is made.
  Status reserve(size_t n_bytes) const;
  Status reserve_product(size_t n, size_t n_bytes_each) const;

  Result<Value> string(std::string text, bool is_markup = false);
  // A string that is Markup when the original is.
  Result<Value> string_like(const Value& original, std::string text);
  Result<Value> sequence(SequenceStyle style, std::vector<Value> items, std::string range_repr = {});
  Result<Value> list(std::vector<Value> items) { return sequence(SequenceStyle::kList, std::move(items)); }
  Result<Value> tuple(std::vector<Value> items) { return sequence(SequenceStyle::kTuple, std::move(items)); }
  Result<Value> generator(std::vector<Value> items) { return sequence(SequenceStyle::kGenerator, std::move(items)); }
  Result<Value> integer(Int i) const;  // an error outside kMinInt..kMaxInt
  Result<Value> name_space();
  Result<Value> bound(const FunctionRow* row, Value self);
  Result<Value> undefined(std::string message);
  Result<Value> macro(const MacroNode& node, Ref<Scope> scope);
  Result<Ref<Loop>> loop(std::vector<Value> items);
  // Sets an attribute of a namespace.
  Status assign(Namespace& target, std::string_view name, Value value);

  // Objects that can come to refer to themselves: scopes that a macro holds on to, loops that remember values, and all
  // namespaces. The runtime keeps them and empties them at its end, one by one (which also spares the stack a long chain of
  // destructors).
  Status keep(Ref<Scope> scope);
  void keep(Ref<Loop> loop) { kept_loops_.push_back(std::move(loop)); }
  // Counts memory that stays until the end of the rendering.
  Status retain(size_t n_bytes);
  ~Runtime();

  // raise_exception(text) sets this; the error on its way out is then the template's own.
  std::optional<std::string> raised;
  // Line of the node being evaluated, for errors.
  int line = 1;

 private:
  friend class DictBuilder;
  Status spend(size_t n_steps);
  Status charge(Metered& object, size_t n_bytes);

  TemplateLimits limits_;
  const RenderOptions& options_;
  MemoryMeter meter_;
  uint64_t n_steps_ = 0;
  std::vector<Ref<Namespace>> kept_namespaces_;
  std::vector<Ref<Scope>> kept_scopes_;
  std::vector<Ref<Loop>> kept_loops_;
};

// Collects the entries of a dict; a later value for the same key replaces the earlier one and keeps its place.
class DictBuilder {
 public:
  explicit DictBuilder(Runtime& runtime) : runtime_(runtime) {}
  Status add(Value key, Value value);
  size_t size() const { return entries_.size(); }
  Result<Value> finish();

 private:
  Runtime& runtime_;
  std::vector<Dict::Entry> entries_;
  std::unordered_map<std::string_view, size_t> positions_;
};

}  // namespace minke::jinja
