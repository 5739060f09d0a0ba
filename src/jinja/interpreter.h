// Runs a syntax tree. One class in two files: statements and calls (interpreter.cpp), expressions (evaluate.cpp).
#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include "jinja/runtime.h"
#include "jinja/scope.h"
#include "jinja/syntax/ast.h"
#include "jinja/value/native.h"

namespace minke::jinja {

class Interpreter {
 public:
  // Variables are what names resolve to when no scope has them.
  Interpreter(Runtime& runtime, Ref<const Dict> variables) : runtime_(runtime), variables_(std::move(variables)) {}

  Result<std::string> render(const TemplateNode& root);

 private:
  enum class Flow { kNext, kBreak, kContinue };

  // A scope that is current until the end of a C++ scope.
  class ScopeGuard {
   public:
    ScopeGuard(Interpreter& interpreter, Ref<Scope> scope) : interpreter_(interpreter), outer_(std::move(interpreter.scope_)) {
      interpreter_.scope_ = std::move(scope);
    }
    ~ScopeGuard() { interpreter_.scope_ = std::move(outer_); }
    ScopeGuard(const ScopeGuard&) = delete;

   private:
    Interpreter& interpreter_;
    Ref<Scope> outer_;
  };
  Ref<Scope> make_scope(Ref<Scope> parent) { return std::make_shared<Scope>(std::move(parent)); }

  // Nesting of statements, expressions and calls on the stack of this thread.
  class Level {
   public:
    explicit Level(int& depth) : depth_(++depth) {}
    ~Level() { --depth_; }
    Level(const Level&) = delete;

   private:
    int& depth_;
  };
  Status enter(int line);

  // Statements.
  Result<Flow> run_block(const Block& block);
  Result<Flow> run(const Statement& statement);
  Result<Flow> run(const TextNode& node);
  Result<Flow> run(const OutputNode& node);
  Result<Flow> run(const IfNode& node);
  Result<Flow> run(const ForNode& node);
  Result<Flow> run(const SetNode& node);
  Result<Flow> run(const SetBlockNode& node);
  Result<Flow> run(const MacroNode& node);
  Result<Flow> run(const CallBlockNode& node);
  Result<Flow> run(const FilterBlockNode& node);
  Result<Flow> run(const WithNode& node);
  Result<Flow> run(const ScopeNode& node);
  Result<Flow> run(const BreakNode&) { return Flow::kBreak; }
  Result<Flow> run(const ContinueNode&) { return Flow::kContinue; }

  Result<Flow> run_loop(const ForNode& node, const Value& iterable, const Ref<Scope>& outer, int depth0);
  Result<std::vector<Value>> selected_items(const ForNode& node, const Value& iterable, const Ref<Scope>& outer);
  // What a block prints, in a scope of its own; flow is how it ended.
  Result<std::string> captured(const Block& block, Flow& flow);
  Status print(std::string_view text);
  Status assign(const Target& target, Value value);
  Status set_variable(std::string_view name, Value value);
  Status assign_attribute(const Target& target, Value value);

  // Calls.
  Result<Value> make_macro(const MacroNode& node);
  // For a value that refers to a scope and, through it, to the scopes around it.
  Status keep_scopes(Scope* innermost);
  Result<Value> call(const Value& callee, const CallArguments& arguments);
  Result<Value> call_macro(const Macro& macro, const CallArguments& arguments);
  Status bind_macro(const MacroNode& node, const CallArguments& arguments, Scope& scope);
  Result<Value> call_loop(const Value& loop, const CallArguments& arguments);

  // Expressions.
  Result<Value> evaluate(const Expr& expr);
  Result<Value> eval(const ConstantNode& node) { return node.value; }
  Result<Value> eval(const NameNode& node);
  Result<Value> eval(const SequenceNode& node);
  Result<Value> eval(const DictNode& node);
  Result<Value> eval(const UnaryNode& node);
  Result<Value> eval(const BinaryNode& node);
  Result<Value> eval(const LogicalNode& node);
  Result<Value> eval(const ConcatNode& node);
  Result<Value> eval(const CompareNode& node);
  Result<Value> eval(const ConditionalNode& node);
  Result<Value> eval(const AttributeNode& node);
  Result<Value> eval(const SubscriptNode& node);
  Result<Value> eval(const SliceNode& node);
  Result<Value> eval(const CallNode& node);
  Result<Value> eval(const FilterNode& node);
  Result<Value> eval(const TestNode& node);
  Result<Value> optional_operand(const ExprPtr& expr);
  Result<CallArguments> evaluate_arguments(const std::vector<ArgumentNode>& nodes);

  Runtime& runtime_;
  Ref<const Dict> variables_;
  Ref<Scope> scope_;
  std::string out_;   // of the innermost capture
  Value block_text_;  // what a filter of a filter block or set block works on
  int depth_ = 0;
};

}  // namespace minke::jinja
