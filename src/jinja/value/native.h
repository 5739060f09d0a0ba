// Functions, methods, filters and tests written in C++: tables of rows, each with a signature that arguments are bound to as
// Python binds them.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "jinja/runtime.h"

namespace minke::jinja {

struct CallArguments {
  std::vector<Value> positional;
  std::vector<std::pair<Ref<const String>, Value>> named;
};

constexpr size_t kMaxParameters = 5;

// Arguments in the order of a row's parameters.
class Arguments {
 public:
  // Null when the caller left it out.
  const Value* get(size_t index) const { return slots_[index]; }
  bool has(size_t index) const { return slots_[index] != nullptr; }
  const Value& at(size_t index) const { return *slots_[index]; }

  // The argument as a type, or the fallback when it was left out; an error names the parameter.
  Result<Int> integer(size_t index, Int fallback) const;
  Result<std::string_view> text(size_t index, std::string_view fallback) const;
  bool flag(size_t index, bool fallback) const;
  // As text(), and None also means: left out.
  Result<std::optional<std::string_view>> optional_text(size_t index) const;

  // All of them as they were given; a variadic row has only these.
  const CallArguments& raw() const { return *raw_; }

 private:
  friend Result<Arguments> bind(const FunctionRow& row, const CallArguments& given);
  std::array<const Value*, kMaxParameters> slots_{};
  const CallArguments* raw_ = nullptr;
  const FunctionRow* row_ = nullptr;
};

// self is the object of a method, the input of a filter or test; undefined for a function.
using Native = Result<Value> (*)(Runtime& runtime, const Value& self, const Arguments& arguments);

struct FunctionRow {
  std::string_view name;
  Native native;
  std::array<std::string_view, kMaxParameters> parameters{};  // "/x" is one that has no name for callers
  size_t n_required = 0;
  bool is_variadic = false;
};

// The arguments must live as long as the result.
Result<Arguments> bind(const FunctionRow& row, const CallArguments& given);

// bind() and call.
Result<Value> call_native(Runtime& runtime, const FunctionRow& row, const Value& self, const CallArguments& given);

const FunctionRow* find_row(std::span<const FunctionRow> rows, std::string_view name);

}  // namespace minke::jinja
