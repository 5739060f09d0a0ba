// The syntax tree of a template. Immutable after parsing and shared between renderings.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "jinja/value/value.h"

namespace minke::jinja {

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;
struct FunctionRow;

enum class UnaryOp { kNot, kMinus, kPlus };
enum class BinaryOp { kAdd, kSub, kMul, kDiv, kFloorDiv, kMod, kPow };
enum class CompareOp { kEq, kNe, kLt, kLe, kGt, kGe, kIn, kNotIn };

struct ArgumentNode {
  enum class Style { kPositional, kNamed, kStar, kStarStar } style;
  Ref<const String> name;  // of a named one
  ExprPtr value;
};

struct ConstantNode {
  Value value;
};
struct NameNode {
  Ref<const String> name;
};
struct SequenceNode {  // [a, b] or (a, b)
  bool is_tuple;
  std::vector<ExprPtr> items;
};
struct DictNode {
  std::vector<std::pair<ExprPtr, ExprPtr>> entries;
};
struct UnaryNode {
  UnaryOp op;
  ExprPtr operand;
};
struct BinaryNode {
  BinaryOp op;
  ExprPtr left, right;
};
struct LogicalNode {
  bool is_and;
  ExprPtr left, right;
};
struct ConcatNode {  // a ~ b ~ c
  std::vector<ExprPtr> parts;
};
struct CompareNode {  // a < b <= c
  ExprPtr first;
  std::vector<std::pair<CompareOp, ExprPtr>> rest;
};
struct ConditionalNode {  // value if condition else otherwise
  ExprPtr value, condition;
  ExprPtr otherwise;  // may be null: undefined
};
struct AttributeNode {
  ExprPtr object;
  Ref<const String> name;
};
struct SubscriptNode {
  ExprPtr object, index;
};
struct SliceNode {
  ExprPtr object;
  ExprPtr start, stop, step;  // each may be null
};
struct CallNode {
  ExprPtr callee;
  std::vector<ArgumentNode> arguments;
};
struct FilterNode {
  ExprPtr input;  // null in a filter block: the text of the block
  std::string name;
  const FunctionRow* filter;  // null when there is no such filter: an error if it is ever reached
  std::vector<ArgumentNode> arguments;
};
struct TestNode {
  ExprPtr input;
  std::string name;
  const FunctionRow* test;  // null as for filters
  std::vector<ArgumentNode> arguments;
};

struct Expr {
  int line;
  int height;  // 1 + that of the highest child; bounds every recursion over the tree
  std::variant<ConstantNode, NameNode, SequenceNode, DictNode, UnaryNode, BinaryNode, LogicalNode, ConcatNode, CompareNode,
               ConditionalNode, AttributeNode, SubscriptNode, SliceNode, CallNode, FilterNode, TestNode>
      node;
};

// Where an assignment goes: a name, an attribute of a namespace, or a tuple of targets to unpack into.
struct Target {
  Ref<const String> name;
  Ref<const String> attribute;  // with name: of the namespace so called
  std::vector<Target> parts;    // without name: a tuple
};

struct Statement;
using Block = std::vector<Statement>;

struct TextNode {
  std::string text;
};
struct OutputNode {
  ExprPtr value;
};
struct IfNode {
  std::vector<std::pair<ExprPtr, Block>> branches;
  Block otherwise;
};
struct ForNode {
  Target target;
  ExprPtr iterable;
  ExprPtr condition;  // may be null
  bool is_recursive;
  Block body, otherwise;
};
struct SetNode {
  Target target;
  ExprPtr value;
};
struct SetBlockNode {
  Target target;
  ExprPtr filter;  // a chain of filters whose innermost input is null; may be null
  Block body;
};
struct MacroNode {
  Ref<const String> name;  // "caller" for the body of a call block
  std::vector<Ref<const String>> parameters;
  std::vector<ExprPtr> defaults;  // one per parameter, null without
  bool uses_varargs = false, uses_kwargs = false, uses_caller = false;
  int line = 0;
  Block body;
};
struct CallBlockNode {
  ExprPtr call;  // a CallNode
  MacroNode caller;
};
struct FilterBlockNode {
  ExprPtr filter;
  Block body;
};
struct WithNode {
  std::vector<std::pair<Target, ExprPtr>> assignments;
  Block body;
};
struct ScopeNode {  // {% generation %}: marks text for training, prints it unchanged
  Block body;
};
struct BreakNode {};
struct ContinueNode {};

struct Statement {
  int line;
  std::variant<TextNode, OutputNode, IfNode, ForNode, SetNode, SetBlockNode, MacroNode, CallBlockNode, FilterBlockNode,
               WithNode, ScopeNode, BreakNode, ContinueNode>
      node;
};

struct TemplateNode {
  Block body;
};

}  // namespace minke::jinja
