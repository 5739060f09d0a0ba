#include "constrain/grammar/automaton.h"

#include <array>
#include <map>

#include "base/check.h"

namespace minke::constrain {
namespace {

// Expressions inside each other: readers bound their own nesting at far less, each level of theirs being a few of these.
constexpr int64_t kMaxNodeDepth = 4096;

}  // namespace

Status CompileBudget::add_states(int64_t n) {
  n_states_ += n;
  if (n_states_ > limits_.max_states) {
    return error("needs more than {} states; use fewer or smaller repeats, properties or alternatives", limits_.max_states);
  }
  return {};
}

Status CompileBudget::add_work(int64_t n) {
  n_work_ += n;
  if (n_work_ > limits_.max_work) {
    return error("takes more than {} steps to compile; use fewer or smaller repeats, or alternatives that differ early",
                 limits_.max_work);
  }
  return {};
}

int32_t AutomatonBuilder::unit_of_rule(RuleId rule) {
  auto [it, is_new] = unit_of_rule_.try_emplace(rule, static_cast<int32_t>(units_.size()));
  if (is_new) {
    const Expressions::Rule& source = expressions_.rule_at(rule);
    CHECK(source.body >= 0, "rule {} is used and not defined", source.name);
    units_.push_back({source.name, source.body});
  }
  return it->second;
}

Result<Automaton> AutomatonBuilder::build(int32_t unit) {
  nfa_ = {};
  counter_ = -1;
  depth_ = 0;
  NodeId body = units_[static_cast<size_t>(unit)].body;
  Place start = TRY(add_state());
  Place end = TRY(add(body, start));
  nfa_.states[static_cast<size_t>(end)].is_final = true;
  return determinize(nfa_, budget_);
}

Result<AutomatonBuilder::Place> AutomatonBuilder::add_state() {
  TRY(budget_.add_states(1));
  Automaton::State state;
  state.counter = counter_;
  nfa_.states.push_back(std::move(state));
  return static_cast<Place>(nfa_.states.size()) - 1;
}

void AutomatonBuilder::connect(Place from, AutomatonEdge edge) { nfa_.states[static_cast<size_t>(from)].edges.push_back(edge); }

Result<AutomatonBuilder::Place> AutomatonBuilder::add(NodeId id, Place from) {
  TRY(budget_.add_work(1));
  if (depth_ >= kMaxNodeDepth) return error("nested too deeply");
  depth_++;
  Result<Place> end = add_node(expressions_.node(id), id, from);
  depth_--;
  return end;
}

Result<AutomatonBuilder::Place> AutomatonBuilder::add_node(const Node& node, NodeId id, Place from) {
  switch (node.kind) {
    case Node::Kind::kEmpty:
      return from;
    case Node::Kind::kBytes:
      return add_bytes(node.bytes, from);
    case Node::Kind::kChars:
      return add_chars(node.chars, from);
    case Node::Kind::kSequence:
      for (NodeId child : node.children) from = TRY(add(child, from));
      return from;
    case Node::Kind::kChoice:
      return add_choice(node, from);
    case Node::Kind::kRepeat:
      return add_repeat(node, from);
    case Node::Kind::kCounted:
      return add_counted(node, id, from);
    case Node::Kind::kRule: {
      const Expressions::Rule& rule = expressions_.rule_at(node.value);
      if (rule.is_inline) return add(rule.body, from);
      return add_call({.kind = AutomatonEdge::Kind::kCall, .value = unit_of_rule(node.value)}, from);
    }
    case Node::Kind::kToken:
      return add_call({.kind = AutomatonEdge::Kind::kToken, .value = node.value}, from);
    case Node::Kind::kGraph:
      return add_graph(expressions_.graph_at(node.value), from);
  }
  CHECK(false, "node kind {}", static_cast<int>(node.kind));
}

Result<AutomatonBuilder::Place> AutomatonBuilder::add_bytes(const std::string& bytes, Place from) {
  for (char c : bytes) {
    Place to = TRY(add_state());
    auto byte = static_cast<uint8_t>(c);
    connect(from, {.kind = AutomatonEdge::Kind::kByte, .first = byte, .last = byte, .to = to});
    from = to;
  }
  return from;
}

Result<AutomatonBuilder::Place> AutomatonBuilder::add_chars(const CodePointSet& chars, Place from) {
  Place end = TRY(add_state());
  // Rows of byte ranges that end alike share the states of that end.
  std::map<std::array<int32_t, 3>, Place> shared;
  for (CodePointRange range : chars.ranges()) {
    for (const Utf8Ranges& row : utf8_ranges(range)) {
      TRY(budget_.add_work(1));
      Place to = end;
      for (int place = row.n_bytes - 1; place >= 0; place--) {
        auto at = static_cast<size_t>(place);
        AutomatonEdge edge{.kind = AutomatonEdge::Kind::kByte, .first = row.first[at], .last = row.last[at], .to = to};
        if (place == 0) {
          connect(from, edge);
          break;
        }
        auto [it, is_new] = shared.try_emplace({edge.first, edge.last, to}, 0);
        if (is_new) {
          it->second = TRY(add_state());
          connect(it->second, edge);
        }
        to = it->second;
      }
    }
  }
  return end;
}

Result<AutomatonBuilder::Place> AutomatonBuilder::add_choice(const Node& node, Place from) {
  Place end = TRY(add_state());
  for (NodeId child : node.children) {
    Place child_end = TRY(add(child, from));
    connect_empty(child_end, end);
  }
  return end;
}

Result<AutomatonBuilder::Place> AutomatonBuilder::add_repeat(const Node& node, Place from) {
  NodeId child = node.children[0];
  for (int64_t i = 0; i < node.min; i++) from = TRY(add(child, from));
  if (node.max == kUnbounded) {
    Place loop = TRY(add_state());
    connect_empty(from, loop);
    Place end = TRY(add(child, loop));
    connect_empty(end, loop);
    return loop;
  }
  Place end = TRY(add_state());
  for (int64_t i = node.min; i < node.max; i++) {
    connect_empty(from, end);
    from = TRY(add(child, from));
  }
  connect_empty(from, end);
  return end;
}

Result<AutomatonBuilder::Place> AutomatonBuilder::add_counted(const Node& node, NodeId id, Place from) {
  if (counter_ >= 0) {  // one count per frame: the inner one gets a unit, and with it frames of its own
    auto [it, is_new] = unit_of_counted_.try_emplace(id, static_cast<int32_t>(units_.size()));
    if (is_new) units_.push_back({"a counted repeat", id});
    return add_call({.kind = AutomatonEdge::Kind::kCall, .value = it->second}, from);
  }
  auto counter = static_cast<int32_t>(counters_.size());
  counters_.push_back({node.min, node.max});
  Place head = TRY(add_state());
  connect_empty(from, head);
  counter_ = counter;
  Place begin = TRY(add_state());
  Place end = TRY(add(node.children[0], begin));
  counter_ = -1;
  Place exit = TRY(add_state());
  connect(head, {.kind = AutomatonEdge::Kind::kBody, .value = counter, .to = begin});
  connect(head, {.kind = AutomatonEdge::Kind::kExit, .value = counter, .to = exit});
  connect(end, {.kind = AutomatonEdge::Kind::kBump, .value = counter, .to = head});
  return exit;
}

Result<AutomatonBuilder::Place> AutomatonBuilder::add_graph(const Graph& graph, Place from) {
  std::vector<Place> places;
  TRY(budget_.add_work(static_cast<int64_t>(graph.edges.size())));
  for (int32_t i = 0; i < graph.n_states; i++) places.push_back(TRY(add_state()));
  connect_empty(from, places[0]);
  for (const Graph::Edge& edge : graph.edges) {
    if (connect_ascii(edge, places)) continue;
    Place label_end = TRY(add(edge.label, places[static_cast<size_t>(edge.from)]));
    connect_empty(label_end, places[static_cast<size_t>(edge.to)]);
  }
  Place end = TRY(add_state());
  for (size_t i = 0; i < places.size(); i++) {
    if (graph.is_final[i]) connect_empty(places[i], end);
  }
  return end;
}

// Digits, mostly: an edge without a state of its own, as graphs have many.
bool AutomatonBuilder::connect_ascii(const Graph::Edge& edge, const std::vector<Place>& places) {
  const Node& label = expressions_.node(edge.label);
  bool is_ascii = label.kind == Node::Kind::kChars && !label.chars.empty() && label.chars.ranges().back().last < 0x80;
  if (!is_ascii) return false;
  for (CodePointRange range : label.chars.ranges()) {
    connect(places[static_cast<size_t>(edge.from)], {.kind = AutomatonEdge::Kind::kByte,
                                                     .first = static_cast<uint8_t>(range.first),
                                                     .last = static_cast<uint8_t>(range.last),
                                                     .to = places[static_cast<size_t>(edge.to)]});
  }
  return true;
}

Result<AutomatonBuilder::Place> AutomatonBuilder::add_call(AutomatonEdge edge, Place from) {
  edge.to = TRY(add_state());
  connect(from, edge);
  return edge.to;
}

}  // namespace minke::constrain
