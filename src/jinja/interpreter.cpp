#include "jinja/interpreter.h"

#include <algorithm>

#include "jinja/library/filters.h"
#include "jinja/value/operators.h"
#include "jinja/value/repr.h"

namespace minke::jinja {

Result<std::string> Interpreter::render(const TemplateNode& root) {
  const ScopeGuard scope(*this, make_scope(nullptr));
  TRY(run_block(root.body));
  return std::move(out_);
}

Result<Interpreter::Flow> Interpreter::run_block(const Block& block) {
  for (const Statement& statement : block) {
    const Flow flow = TRY(run(statement));
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::run(const Statement& statement) {
  const Level level(depth_);
  TRY(enter(statement.line));
  return std::visit([this](const auto& node) { return run(node); }, statement.node);
}

Status Interpreter::print(std::string_view text) {
  TRY(runtime_.touch(text.size()));
  if (text.size() > runtime_.limits().max_output_bytes - std::min(out_.size(), runtime_.limits().max_output_bytes)) {
    return error("the output is longer than {} bytes", runtime_.limits().max_output_bytes);
  }
  out_ += text;
  return {};
}

Result<Interpreter::Flow> Interpreter::run(const TextNode& node) {
  TRY(print(node.text));
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::run(const OutputNode& node) {
  const Value value = TRY(evaluate(*node.value));
  if (value.is_string()) {
    TRY(print(value.text()));
  } else {
    const std::string text = TRY(to_text(runtime_, value));
    TRY(print(text));
  }
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::run(const IfNode& node) {
  for (const auto& [condition, body] : node.branches) {
    const Value value = TRY(evaluate(*condition));
    if (truthy(value)) return run_block(body);
  }
  return run_block(node.otherwise);
}

Result<Interpreter::Flow> Interpreter::run(const ForNode& node) {
  const Value iterable = TRY(evaluate(*node.iterable));
  return run_loop(node, iterable, scope_, 0);
}

// The items that pass the condition of the loop; it sees the loop target but not the loop.
Result<std::vector<Value>> Interpreter::selected_items(const ForNode& node, const Value& iterable, const Ref<Scope>& outer) {
  auto items = TRY(iterate(runtime_, iterable));
  if (node.condition == nullptr) return items;
  std::vector<Value> selected;
  const ScopeGuard scope(*this, make_scope(outer));
  for (Value& item : items) {
    TRY(assign(node.target, item));
    const Value passes = TRY(evaluate(*node.condition));
    if (truthy(passes)) selected.push_back(std::move(item));
  }
  return selected;
}

Result<Interpreter::Flow> Interpreter::run_loop(const ForNode& node, const Value& iterable, const Ref<Scope>& outer,
                                                int depth0) {
  auto items = TRY(selected_items(node, iterable, outer));
  if (items.empty()) {
    const ScopeGuard scope(*this, make_scope(outer));
    return run_block(node.otherwise);
  }
  const Ref<Loop> loop = TRY(runtime_.loop(std::move(items)));
  loop->depth0 = depth0;
  if (node.is_recursive) {
    TRY(keep_scopes(outer.get()));
    loop->recursive_node = &node;
    loop->recursive_scope = outer;
  }
  Ref<Scope> body_scope;
  for (; loop->index0 < loop->items.size(); ++loop->index0) {
    TRY(runtime_.step());
    // A new scope for every round; the old one serves again unless a macro holds on to it.
    if (body_scope == nullptr || body_scope->is_kept) body_scope = make_scope(outer);
    body_scope->variables.clear();
    const ScopeGuard scope(*this, body_scope);
    scope_->set("loop", Value(loop));
    TRY(assign(node.target, loop->items[loop->index0]));
    const Flow flow = TRY(run_block(node.body));
    if (flow == Flow::kBreak) break;
  }
  return Flow::kNext;
}

Result<std::string> Interpreter::captured(const Block& block, Flow& flow) {
  const ScopeGuard scope(*this, make_scope(scope_));
  std::string outer = std::exchange(out_, {});
  auto result = run_block(block);
  std::swap(out_, outer);
  flow = TRY(std::move(result));
  return outer;
}

Status Interpreter::set_variable(std::string_view name, Value value) {
  const bool is_new = scope_->set(name, std::move(value));
  if (is_new && scope_->is_kept) TRY(runtime_.retain(2 * sizeof(Value)));
  return {};
}

Status Interpreter::assign_attribute(const Target& target, Value value) {
  const Value* held = scope_->find(target.name->text);
  if (held == nullptr || !held->is(Kind::kNamespace)) return error("cannot assign attribute on non-namespace object");
  return runtime_.assign(held->name_space(), target.attribute->text, std::move(value));
}

Status Interpreter::assign(const Target& target, Value value) {
  if (target.attribute != nullptr) return assign_attribute(target, std::move(value));
  if (target.name != nullptr) {
    return set_variable(target.name->text, std::move(value));
  }
  TRY(require_defined(value));
  auto items = TRY(iterate(runtime_, value));
  if (items.size() != target.parts.size()) {
    return error("cannot unpack {} values into {} names", items.size(), target.parts.size());
  }
  for (size_t i = 0; i < items.size(); ++i) TRY(assign(target.parts[i], std::move(items[i])));
  return {};
}

Result<Interpreter::Flow> Interpreter::run(const SetNode& node) {
  Value value = TRY(evaluate(*node.value));
  TRY(assign(node.target, std::move(value)));
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::run(const SetBlockNode& node) {
  Flow flow;
  std::string text = TRY(captured(node.body, flow));
  if (flow != Flow::kNext) return flow;
  Value value = TRY(runtime_.string(std::move(text)));
  if (node.filter != nullptr) {
    block_text_ = value;
    value = TRY(evaluate(*node.filter));
  }
  TRY(assign(node.target, std::move(value)));
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::run(const FilterBlockNode& node) {
  Flow flow;
  std::string text = TRY(captured(node.body, flow));
  if (flow != Flow::kNext) return flow;
  block_text_ = TRY(runtime_.string(std::move(text)));
  const Value value = TRY(evaluate(*node.filter));
  const std::string printed = TRY(to_text(runtime_, value));
  TRY(print(printed));
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::run(const WithNode& node) {
  // All values are those of the outer scope.
  std::vector<Value> values;
  for (const auto& [target, expr] : node.assignments) values.push_back(TRY(evaluate(*expr)));
  const ScopeGuard scope(*this, make_scope(scope_));
  for (size_t i = 0; i < values.size(); ++i) TRY(assign(node.assignments[i].first, std::move(values[i])));
  return run_block(node.body);
}

Result<Interpreter::Flow> Interpreter::run(const ScopeNode& node) {
  const ScopeGuard scope(*this, make_scope(scope_));
  return run_block(node.body);
}

Status Interpreter::keep_scopes(Scope* innermost) {
  for (Scope* scope = innermost; scope != nullptr && !scope->is_kept; scope = scope->parent.get()) {
    scope->is_kept = true;
    TRY(runtime_.keep(scope->shared_from_this()));
  }
  return {};
}

Result<Value> Interpreter::make_macro(const MacroNode& node) {
  TRY(keep_scopes(scope_.get()));
  return runtime_.macro(node, scope_);
}

Result<Interpreter::Flow> Interpreter::run(const MacroNode& node) {
  Value macro = TRY(make_macro(node));
  TRY(set_variable(node.name->text, std::move(macro)));
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::run(const CallBlockNode& node) {
  const auto& call_node = std::get<CallNode>(node.call->node);
  const Value callee = TRY(evaluate(*call_node.callee));
  CallArguments arguments = TRY(evaluate_arguments(call_node.arguments));
  arguments.named.emplace_back(node.caller.name, TRY(make_macro(node.caller)));
  const Value value = TRY(call(callee, arguments));
  if (!value.is_string()) return error("a call block needs a macro that gives text, got {}", type_name(value));
  TRY(print(value.text()));
  return Flow::kNext;
}

Result<Value> Interpreter::call(const Value& callee, const CallArguments& arguments) {
  TRY(require_defined(callee));
  switch (callee.kind()) {
    case Kind::kMacro:
      return call_macro(callee.macro(), arguments);
    case Kind::kLoop:
      return call_loop(callee, arguments);
    case Kind::kFunction:
      return call_native(runtime_, *callee.function().row, callee.function().self, arguments);
    default:
      return error("'{}' object is not callable", type_name(callee));
  }
}

// Parameters from the arguments in order, then by name, then from the defaults, which see the parameters before them.
Status Interpreter::bind_macro(const MacroNode& node, const CallArguments& arguments, Scope& scope) {
  const auto& parameters = node.parameters;
  std::vector<const Value*> given(parameters.size());
  for (size_t i = 0; i < std::min(parameters.size(), arguments.positional.size()); ++i) given[i] = &arguments.positional[i];
  DictBuilder other_names(runtime_);
  const Value* caller = nullptr;
  for (const auto& [name, value] : arguments.named) {
    const auto at = std::find_if(parameters.begin(), parameters.end(), [&](const auto& p) { return p->text == name->text; });
    if (at != parameters.end()) {
      const Value*& slot = given[static_cast<size_t>(at - parameters.begin())];
      if (slot != nullptr) return error("macro '{}' got two values for '{}'", node.name->text, name->text);
      slot = &value;
    } else if (name->text == "caller" && node.uses_caller) {
      caller = &value;
    } else if (node.uses_kwargs) {
      TRY(other_names.add(Value(name), value));
    } else {
      return error("macro '{}' takes no keyword argument '{}'", node.name->text, name->text);
    }
  }
  if (arguments.positional.size() > parameters.size() && !node.uses_varargs) {
    return error("macro '{}' takes not more than {} argument(s)", node.name->text, parameters.size());
  }
  if (node.uses_caller) scope.set("caller", caller != nullptr ? *caller : TRY(runtime_.undefined("No caller defined")));
  if (node.uses_kwargs) scope.set("kwargs", TRY(other_names.finish()));
  if (node.uses_varargs) {
    const auto first_extra = std::min(parameters.size(), arguments.positional.size());
    scope.set(
        "varargs",
        TRY(runtime_.tuple({arguments.positional.begin() + static_cast<ptrdiff_t>(first_extra), arguments.positional.end()})));
  }
  for (size_t i = 0; i < parameters.size(); ++i) {
    Value value;
    if (given[i] != nullptr) {
      value = *given[i];
    } else if (node.defaults[i] != nullptr) {
      value = TRY(evaluate(*node.defaults[i]));
    } else {
      value = TRY(runtime_.undefined(fmt::format("parameter '{}' was not provided", parameters[i]->text)));
    }
    scope.set(parameters[i]->text, std::move(value));
  }
  return {};
}

Result<Value> Interpreter::call_macro(const Macro& macro, const CallArguments& arguments) {
  const Level level(depth_);
  const int line = runtime_.line;
  TRY(enter(line));
  const ScopeGuard scope(*this, make_scope(macro.scope));
  TRY(bind_macro(*macro.node, arguments, *scope_));
  Flow flow;
  std::string text = TRY(captured(macro.node->body, flow));
  runtime_.line = line;
  return runtime_.string(std::move(text));
}

Result<Value> Interpreter::call_loop(const Value& loop, const CallArguments& arguments) {
  const Level level(depth_);
  TRY(enter(runtime_.line));
  const Loop& held = loop.loop();
  if (held.recursive_node == nullptr) return error("the loop must have the 'recursive' marker to be called");
  if (arguments.positional.size() != 1 || !arguments.named.empty()) return error("loop() takes one argument");
  std::string outer = std::exchange(out_, {});
  auto result = run_loop(*held.recursive_node, arguments.positional[0], held.recursive_scope, held.depth0 + 1);
  std::swap(out_, outer);
  TRY(std::move(result));
  return runtime_.string(std::move(outer));
}

}  // namespace minke::jinja
