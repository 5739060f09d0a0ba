#include "constrain/grammar/expressions.h"

#include "base/check.h"

namespace minke::constrain {

Expressions::Expressions() { add({}); }

NodeId Expressions::add(Node node) {
  CHECK(nodes_.size() < (size_t{1} << 30));
  nodes_.push_back(std::move(node));
  return static_cast<NodeId>(nodes_.size()) - 1;
}

NodeId Expressions::bytes(std::string_view text) {
  if (text.empty()) return empty();
  Node node;
  node.kind = Node::Kind::kBytes;
  node.bytes = std::string(text);
  return add(std::move(node));
}

NodeId Expressions::chars(CodePointSet set) {
  Node node;
  node.kind = Node::Kind::kChars;
  node.chars = std::move(set);
  return add(std::move(node));
}

NodeId Expressions::sequence(std::vector<NodeId> parts) {
  if (parts.size() == 1) return parts[0];
  if (parts.empty()) return empty();
  Node node;
  node.kind = Node::Kind::kSequence;
  node.children = std::move(parts);
  return add(std::move(node));
}

NodeId Expressions::choice(std::vector<NodeId> alternatives) {
  if (alternatives.size() == 1) return alternatives[0];
  Node node;  // without alternatives it matches nothing
  node.kind = Node::Kind::kChoice;
  node.children = std::move(alternatives);
  return add(std::move(node));
}

NodeId Expressions::repeat(NodeId what, int64_t min, int64_t max) {
  CHECK(min >= 0 && (max == kUnbounded || max >= min), "{} .. {}", min, max);
  if (min == 1 && max == 1) return what;
  if (max == 0) return empty();
  Node node;
  node.kind = Node::Kind::kRepeat;
  node.min = min;
  node.max = max;
  node.children = {what};
  return add(std::move(node));
}

NodeId Expressions::counted(NodeId what, int64_t min, int64_t max) {
  CHECK(min >= 0 && (max == kUnbounded || max >= min), "{} .. {}", min, max);
  bool needs_count = min > 1 || (max != kUnbounded && max > 1);
  if (!needs_count) return repeat(what, min, max);
  Node node;
  node.kind = Node::Kind::kCounted;
  node.min = min;
  node.max = max;
  node.children = {what};
  return add(std::move(node));
}

NodeId Expressions::token(TokenId id) {
  Node node;
  node.kind = Node::Kind::kToken;
  node.value = id;
  return add(std::move(node));
}

NodeId Expressions::graph(Graph value) {
  graphs_.push_back(std::move(value));
  Node node;
  node.kind = Node::Kind::kGraph;
  node.value = static_cast<int32_t>(graphs_.size()) - 1;
  return add(std::move(node));
}

NodeId Expressions::rule(RuleId id) {
  Node node;
  node.kind = Node::Kind::kRule;
  node.value = id;
  return add(std::move(node));
}

RuleId Expressions::declare(std::string name) {
  Rule rule;
  rule.name = std::move(name);
  rules_.push_back(std::move(rule));
  return static_cast<RuleId>(rules_.size()) - 1;
}

void Expressions::define(RuleId rule, NodeId body) {
  Rule& defined = rules_[static_cast<size_t>(rule)];
  CHECK(defined.body < 0, "rule {} defined twice", defined.name);
  defined.body = body;
}

NodeId Expressions::new_rule(std::string name, NodeId body) {
  RuleId id = declare(std::move(name));
  define(id, body);
  return rule(id);
}

}  // namespace minke::constrain
