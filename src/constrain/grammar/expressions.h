// A grammar as its authors see it: expressions over bytes, code points, control tokens and rules. Readers of regular
// expressions, EBNF and JSON schemas write into an Expressions; Grammar::compile makes automata of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/token_id.h"
#include "constrain/grammar/code_points.h"

namespace minke::constrain {

using NodeId = int32_t;
using RuleId = int32_t;

constexpr int64_t kUnbounded = -1;

// An automaton whose edges are expressions: for what sequences and choices can only say with many copies. Starts in state 0.
struct Graph {
  struct Edge {
    int32_t from;
    NodeId label;
    int32_t to;
  };
  int32_t n_states = 1;
  std::vector<Edge> edges;
  std::vector<bool> is_final;  // by state

  explicit Graph(int32_t n) : n_states(n), is_final(static_cast<size_t>(n), false) {}
  int32_t add_state() {
    is_final.push_back(false);
    return n_states++;
  }
};

struct Node {
  // kRepeat is written out `max` times; kCounted is counted while matching. What is counted must not be empty, and what can
  // follow it must start with other bytes than it does: then one count says all.
  enum class Kind { kEmpty, kBytes, kChars, kSequence, kChoice, kRepeat, kCounted, kRule, kToken, kGraph };
  Kind kind = Kind::kEmpty;
  int64_t min = 0, max = 0;  // of repeats
  int32_t value = 0;         // rule, token, or place among the graphs
  std::string bytes;
  CodePointSet chars;
  std::vector<NodeId> children;
};

class Expressions {
 public:
  Expressions();

  NodeId empty() const { return 0; }
  NodeId bytes(std::string_view text);
  NodeId chars(CodePointSet set);
  NodeId sequence(std::vector<NodeId> parts);
  NodeId choice(std::vector<NodeId> alternatives);
  NodeId repeat(NodeId what, int64_t min, int64_t max);
  NodeId optional(NodeId what) { return repeat(what, 0, 1); }
  NodeId counted(NodeId what, int64_t min, int64_t max);
  // A control token, which no text spells.
  NodeId token(TokenId id);
  NodeId graph(Graph value);
  NodeId rule(RuleId id);

  RuleId declare(std::string name);
  void define(RuleId rule, NodeId body);
  NodeId new_rule(std::string name, NodeId body);

  struct Rule {
    std::string name;        // for messages
    NodeId body = -1;        // -1: declared only
    bool is_inline = false;  // copied to where it is used; only for rules that do not reach themselves
  };
  const Node& node(NodeId id) const { return nodes_[static_cast<size_t>(id)]; }
  const Rule& rule_at(RuleId id) const { return rules_[static_cast<size_t>(id)]; }
  void set_inline(RuleId id) { rules_[static_cast<size_t>(id)].is_inline = true; }
  const Graph& graph_at(int32_t index) const { return graphs_[static_cast<size_t>(index)]; }
  int64_t n_nodes() const { return static_cast<int64_t>(nodes_.size()); }
  RuleId n_rules() const { return static_cast<RuleId>(rules_.size()); }

 private:
  NodeId add(Node node);
  std::vector<Node> nodes_;
  std::vector<Rule> rules_;
  std::vector<Graph> graphs_;
};

}  // namespace minke::constrain
