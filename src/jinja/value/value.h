// Values of the template language, with the semantics of the Python objects that they stand for. Lists and dicts never
// change after they are made (the sandbox refuses append, update, ...); only namespaces and generators do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace minke::jinja {

// Python integers are unbounded; here they span -2^63 .. 2^64-1 (all that JSON brings), and leaving that is an error.
using Int = __int128;
constexpr Int kMinInt = -(Int{1} << 63);
constexpr Int kMaxInt = (Int{1} << 64) - 1;

struct Undefined;
struct String;
struct Sequence;
struct Dict;
struct Namespace;
struct Loop;
struct Macro;
struct Function;
struct Scope;
struct MacroNode;
struct ForNode;

template <typename T>
using Ref = std::shared_ptr<T>;

struct NoneType {};

enum class Kind { kUndefined, kNone, kBool, kInt, kFloat, kString, kSequence, kDict, kNamespace, kLoop, kMacro, kFunction };

class Value {
 public:
  Value() = default;  // undefined, of no particular name
  Value(NoneType) : data_(NoneType{}) {}
  explicit Value(bool b) : data_(b) {}
  explicit Value(Int i) : data_(i) {}
  explicit Value(double d) : data_(d) {}
  Value(Ref<const Undefined> u) : data_(std::move(u)) {}
  Value(Ref<const String> s) : data_(std::move(s)) {}
  Value(Ref<Sequence> s) : data_(std::move(s)) {}
  Value(Ref<const Dict> d) : data_(std::move(d)) {}
  Value(Ref<Namespace> n) : data_(std::move(n)) {}
  Value(Ref<Loop> l) : data_(std::move(l)) {}
  Value(Ref<const Macro> m) : data_(std::move(m)) {}
  Value(Ref<const Function> f) : data_(std::move(f)) {}

  Kind kind() const { return static_cast<Kind>(data_.index()); }
  bool is(Kind k) const { return kind() == k; }
  bool is_string() const { return is(Kind::kString); }
  bool is_number() const { return is(Kind::kBool) || is(Kind::kInt) || is(Kind::kFloat); }
  bool is_integral() const { return is(Kind::kBool) || is(Kind::kInt); }

  // Each of these needs the kind in its name; integer() also takes a bool, number() any number.
  bool boolean() const { return std::get<bool>(data_); }
  Int integer() const { return is(Kind::kBool) ? Int{boolean()} : std::get<Int>(data_); }
  double number() const { return is(Kind::kFloat) ? std::get<double>(data_) : static_cast<double>(integer()); }
  const Ref<const Undefined>& undefined() const { return std::get<Ref<const Undefined>>(data_); }
  const String& string() const { return *std::get<Ref<const String>>(data_); }
  Sequence& sequence() const { return *std::get<Ref<Sequence>>(data_); }
  const Dict& dict() const { return *std::get<Ref<const Dict>>(data_); }
  const Ref<const Dict>& dict_ref() const { return std::get<Ref<const Dict>>(data_); }
  Namespace& name_space() const { return *std::get<Ref<Namespace>>(data_); }
  Loop& loop() const { return *std::get<Ref<Loop>>(data_); }
  const Ref<Loop>& loop_ref() const { return std::get<Ref<Loop>>(data_); }
  const Macro& macro() const { return *std::get<Ref<const Macro>>(data_); }
  const Function& function() const { return *std::get<Ref<const Function>>(data_); }

  std::string_view text() const;  // of a string
  const void* identity() const;   // address of the shared object, null for plain values
  int depth() const;              // how deep lists and dicts are nested in it; 0 for plain values

 private:
  std::variant<Ref<const Undefined>, NoneType, bool, Int, double, Ref<const String>, Ref<Sequence>, Ref<const Dict>,
               Ref<Namespace>, Ref<Loop>, Ref<const Macro>, Ref<const Function>>
      data_;
};

// Bytes of live values; objects report their birth through Runtime and their death here.
struct MemoryMeter {
  size_t live_bytes = 0;
};

struct Metered {
  Metered() = default;
  Metered(const Metered&) = delete;
  Metered& operator=(const Metered&) = delete;
  ~Metered() {
    if (meter != nullptr) meter->live_bytes -= metered_bytes;
  }
  MemoryMeter* meter = nullptr;  // null for the constants of a template, which outlive a rendering
  size_t metered_bytes = 0;
};

// The result of looking up something absent. Printing it is fine, going further is an error with this message.
struct Undefined : Metered {
  std::string message;
};

struct String : Metered {
  std::string text;        // valid UTF-8
  size_t n_chars = 0;      // code points
  bool is_markup = false;  // came from |safe or |escape: joining it with + escapes the other side, as markupsafe does
  bool is_ascii() const { return n_chars == text.size(); }
};

// Constants of the template and names; not metered.
Ref<const String> make_constant_string(std::string text);

enum class SequenceStyle { kList, kTuple, kGroup, kRange, kKeysView, kValuesView, kItemsView, kGenerator };

struct Sequence : Metered {
  SequenceStyle style = SequenceStyle::kList;
  std::vector<Value> items;
  bool consumed = false;  // of a generator: it gives its items once
  int depth = 1;
  std::string range_repr;  // of a range: how Python prints it
  // Python calls these three sequences: they can be indexed and sliced.
  bool indexable() const { return style <= SequenceStyle::kRange; }
  bool is_tuple() const { return style == SequenceStyle::kTuple || style == SequenceStyle::kGroup; }
  bool has_length() const { return style != SequenceStyle::kGenerator; }
};

struct Dict : Metered {
  using Entry = std::pair<Value, Value>;
  std::vector<Entry> entries;  // in insertion order, keys unique
  int depth = 1;

  void index_keys();  // to be called once, when all entries are there
  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;

 private:
  std::unordered_map<std::string_view, size_t> string_index_;  // only for large dicts
};

struct Namespace : Metered {
  std::vector<std::pair<std::string, Value>> attributes;
  const Value* find(std::string_view name) const;
};

struct Loop : Metered {
  std::vector<Value> items;
  size_t index0 = 0;
  int depth0 = 0;
  std::optional<std::vector<Value>> last_changed;  // arguments of the last loop.changed()
  const ForNode* recursive_node = nullptr;         // of a recursive loop: what loop(...) runs again
  Ref<Scope> recursive_scope;
  int value_depth = 1;
};

struct Macro : Metered {
  const MacroNode* node = nullptr;
  Ref<Scope> scope;  // where it was defined
};

class Runtime;
struct CallArguments;
struct FunctionRow;

// A function of the environment (self undefined) or a method bound to its object.
struct Function : Metered {
  const FunctionRow* row = nullptr;
  Value self;
};

// The name of the Python type, for messages: "str", "dict", "list", ...
std::string_view type_name(const Value& value);

bool truthy(const Value& value);

// Keys of a dict are equal when Python's hash and == say so: 1, 1.0 and True are the same key.
bool is_hashable(const Value& value);
bool same_key(const Value& a, const Value& b);

}  // namespace minke::jinja
