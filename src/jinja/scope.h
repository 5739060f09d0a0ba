// Variables of a template, by the scoping rules of Jinja2: a for loop, a macro, a with, call, filter or set block opens a
// scope, an if does not; what is set inside a scope is gone after it.
#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "jinja/value/value.h"

namespace minke::jinja {

struct Scope : std::enable_shared_from_this<Scope> {
  explicit Scope(Ref<Scope> p) : parent(std::move(p)) {}

  // Names point into the parsed template. Whether the name is new.
  bool set(std::string_view name, Value value) {
    for (auto& [key, held] : variables) {
      if (key == name) {
        held = std::move(value);
        return false;
      }
    }
    variables.emplace_back(name, std::move(value));
    return true;
  }

  const Value* find(std::string_view name) const {
    for (const Scope* scope = this; scope != nullptr; scope = scope->parent.get()) {
      for (const auto& [key, held] : scope->variables) {
        if (key == name) return &held;
      }
    }
    return nullptr;
  }

  void clear() {
    variables.clear();
    parent.reset();
  }

  Ref<Scope> parent;
  std::vector<std::pair<std::string_view, Value>> variables;
  bool is_kept = false;  // held by the runtime to its end, because a value refers to it
};

}  // namespace minke::jinja
