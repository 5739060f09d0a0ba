// Expressions.
#include "jinja/interpreter.h"
#include "jinja/library/filters.h"
#include "jinja/library/functions.h"
#include "jinja/value/operators.h"
#include "jinja/value/repr.h"

namespace minke::jinja {

Status Interpreter::enter(int line) {
  TRY(runtime_.step());
  runtime_.line = line;
  const int max_depth = runtime_.limits().max_depth;
  if (depth_ > max_depth) return error("nested more than {} deep: does a macro call itself without end?", max_depth);
  return {};
}

Result<Value> Interpreter::evaluate(const Expr& expr) {
  const Level level(depth_);
  TRY(enter(expr.line));
  return std::visit([this](const auto& node) { return eval(node); }, expr.node);
}

Result<Value> Interpreter::eval(const NameNode& node) {
  if (const Value* held = scope_->find(node.name->text)) return *held;
  if (const Value* held = variables_->find(node.name->text)) return *held;
  if (const FunctionRow* row = find_function(node.name->text)) return runtime_.bound(row, Value());
  return runtime_.undefined(fmt::format("'{}' is undefined", node.name->text));
}

Result<Value> Interpreter::eval(const SequenceNode& node) {
  std::vector<Value> items;
  items.reserve(node.items.size());
  for (const ExprPtr& item : node.items) items.push_back(TRY(evaluate(*item)));
  return node.is_tuple ? runtime_.tuple(std::move(items)) : runtime_.list(std::move(items));
}

Result<Value> Interpreter::eval(const DictNode& node) {
  DictBuilder builder(runtime_);
  for (const auto& [key_expr, value_expr] : node.entries) {
    Value key = TRY(evaluate(*key_expr));
    Value value = TRY(evaluate(*value_expr));
    TRY(builder.add(std::move(key), std::move(value)));
  }
  return builder.finish();
}

Result<Value> Interpreter::eval(const UnaryNode& node) {
  const Value operand = TRY(evaluate(*node.operand));
  return apply_unary(runtime_, node.op, operand);
}

Result<Value> Interpreter::eval(const BinaryNode& node) {
  const Value left = TRY(evaluate(*node.left));
  const Value right = TRY(evaluate(*node.right));
  return apply_binary(runtime_, node.op, left, right);
}

Result<Value> Interpreter::eval(const LogicalNode& node) {
  Value left = TRY(evaluate(*node.left));
  if (truthy(left) != node.is_and) return left;
  return evaluate(*node.right);
}

Result<Value> Interpreter::eval(const ConcatNode& node) {
  std::string text;
  for (const ExprPtr& part : node.parts) {
    const Value value = TRY(evaluate(*part));
    text += TRY(to_text(runtime_, value));
    TRY(runtime_.reserve(text.size()));
  }
  return runtime_.string(std::move(text));
}

Result<Value> Interpreter::eval(const CompareNode& node) {
  Value left = TRY(evaluate(*node.first));
  for (const auto& [op, right_expr] : node.rest) {
    Value right = TRY(evaluate(*right_expr));
    if (!TRY(apply_compare(runtime_, op, left, right))) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Result<Value> Interpreter::eval(const ConditionalNode& node) {
  const Value condition = TRY(evaluate(*node.condition));
  if (truthy(condition)) return evaluate(*node.value);
  if (node.otherwise != nullptr) return evaluate(*node.otherwise);
  return runtime_.undefined("the inline if-expression evaluated to false and no else section was defined");
}

Result<Value> Interpreter::eval(const AttributeNode& node) {
  const Value object = TRY(evaluate(*node.object));
  return get_attribute(runtime_, object, node.name);
}

Result<Value> Interpreter::eval(const SubscriptNode& node) {
  const Value object = TRY(evaluate(*node.object));
  const Value index = TRY(evaluate(*node.index));
  return get_item(runtime_, object, index);
}

Result<Value> Interpreter::optional_operand(const ExprPtr& expr) {
  if (expr == nullptr) return Value(NoneType{});
  return evaluate(*expr);
}

Result<Value> Interpreter::eval(const SliceNode& node) {
  const Value object = TRY(evaluate(*node.object));
  const Value start = TRY(optional_operand(node.start));
  const Value stop = TRY(optional_operand(node.stop));
  const Value step = TRY(optional_operand(node.step));
  return get_slice(runtime_, object, start, stop, step);
}

Result<Value> Interpreter::eval(const CallNode& node) {
  const int line = runtime_.line;
  const Value callee = TRY(evaluate(*node.callee));
  const CallArguments arguments = TRY(evaluate_arguments(node.arguments));
  runtime_.line = line;
  return call(callee, arguments);
}

Result<Value> Interpreter::eval(const FilterNode& node) {
  const int line = runtime_.line;
  const Value input = node.input == nullptr ? block_text_ : TRY(evaluate(*node.input));
  const CallArguments arguments = TRY(evaluate_arguments(node.arguments));
  runtime_.line = line;
  if (node.filter == nullptr) return error("{}", missing_filter_message(node.name));
  return call_native(runtime_, *node.filter, input, arguments);
}

Result<Value> Interpreter::eval(const TestNode& node) {
  const int line = runtime_.line;
  const Value input = TRY(evaluate(*node.input));
  const CallArguments arguments = TRY(evaluate_arguments(node.arguments));
  runtime_.line = line;
  if (node.test == nullptr) return error("No test named '{}' found.", node.name);
  return call_native(runtime_, *node.test, input, arguments);
}

Result<CallArguments> Interpreter::evaluate_arguments(const std::vector<ArgumentNode>& nodes) {
  CallArguments arguments;
  for (const ArgumentNode& node : nodes) {
    Value value = TRY(evaluate(*node.value));
    switch (node.style) {
      case ArgumentNode::Style::kPositional:
        arguments.positional.push_back(std::move(value));
        break;
      case ArgumentNode::Style::kNamed:
        arguments.named.emplace_back(node.name, std::move(value));
        break;
      case ArgumentNode::Style::kStar:
        for (Value& item : TRY(iterate(runtime_, value))) arguments.positional.push_back(std::move(item));
        break;
      case ArgumentNode::Style::kStarStar:
        if (!value.is(Kind::kDict)) return error("argument after ** must be a mapping, not {}", type_name(value));
        for (const auto& [key, held] : value.dict().entries) {
          if (!key.is_string()) return error("keywords must be strings");
          arguments.named.emplace_back(make_constant_string(std::string(key.text())), held);
        }
        break;
    }
  }
  for (size_t i = 0; i < arguments.named.size(); ++i) {
    TRY(runtime_.touch(i * sizeof(Value)));
    for (size_t j = 0; j < i; ++j) {
      if (arguments.named[i].first->text == arguments.named[j].first->text) {
        return error("got multiple values for keyword argument '{}'", arguments.named[i].first->text);
      }
    }
  }
  return arguments;
}

}  // namespace minke::jinja
