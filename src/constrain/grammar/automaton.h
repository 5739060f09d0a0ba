// From expressions to one automaton per rule: Thompson's construction, then subsets. An edge reads a byte or a control token,
// calls a rule, or counts; calls and counts stay edges, as nothing but the matcher knows when they end.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "constrain/grammar/expressions.h"

namespace minke::constrain {

// What compiling may cost. All of it is reached by hostile input only: a schema with 500 properties has some 20,000 states.
struct GrammarLimits {
  int64_t max_source_bytes = int64_t{1} << 18;
  int64_t max_states = 200'000;   // of all automata together
  int64_t max_work = 20'000'000;  // states visited while compiling, a few tens of nanoseconds each
  int64_t max_depth = 128;        // of parentheses, objects, references inside each other
};

class CompileBudget {
 public:
  explicit CompileBudget(const GrammarLimits& limits) : limits_(limits) {}
  Status add_states(int64_t n);
  Status add_work(int64_t n);

 private:
  GrammarLimits limits_;
  int64_t n_states_ = 0, n_work_ = 0;
};

struct AutomatonEdge {
  enum class Kind : uint8_t { kEpsilon, kByte, kToken, kCall, kBody, kExit, kBump };
  Kind kind = Kind::kEpsilon;
  uint8_t first = 0, last = 0;  // kByte
  int32_t value = 0;            // kToken: id; kCall: unit; kBody, kExit, kBump: counter
  int32_t to = 0;
};

// Starts in state 0.
struct Automaton {
  struct State {
    std::vector<AutomatonEdge> edges;
    int32_t counter = -1;  // the counted repeat that the state stands in
    bool is_final = false;
  };
  std::vector<State> states;
};

struct Counter {
  int64_t min = 0, max = kUnbounded;
};

// A part of a grammar with an automaton of its own: a rule that is not copied, or a counted repeat inside of another one.
struct Unit {
  std::string name;
  NodeId body;
};

class AutomatonBuilder {
 public:
  AutomatonBuilder(const Expressions& expressions, CompileBudget& budget) : expressions_(expressions), budget_(budget) {}

  // The unit of a rule; its automaton is still to be built.
  int32_t unit_of_rule(RuleId rule);
  // The deterministic automaton of a unit. Units that it calls are added to units().
  Result<Automaton> build(int32_t unit);

  const std::vector<Unit>& units() const { return units_; }
  const std::vector<Counter>& counters() const { return counters_; }

 private:
  using Place = int32_t;
  Result<Place> add_state();
  void connect(Place from, AutomatonEdge edge);
  void connect_empty(Place from, Place to) { connect(from, {.to = to}); }
  // Adds what the node matches behind `from` and returns the state behind it.
  Result<Place> add(NodeId id, Place from);
  Result<Place> add_node(const Node& node, NodeId id, Place from);
  Result<Place> add_bytes(const std::string& bytes, Place from);
  Result<Place> add_chars(const CodePointSet& chars, Place from);
  Result<Place> add_choice(const Node& node, Place from);
  Result<Place> add_repeat(const Node& node, Place from);
  Result<Place> add_counted(const Node& node, NodeId id, Place from);
  Result<Place> add_graph(const Graph& graph, Place from);
  bool connect_ascii(const Graph::Edge& edge, const std::vector<Place>& places);
  Result<Place> add_call(AutomatonEdge edge, Place from);

  const Expressions& expressions_;
  CompileBudget& budget_;
  std::vector<Unit> units_;
  std::unordered_map<RuleId, int32_t> unit_of_rule_;
  std::unordered_map<NodeId, int32_t> unit_of_counted_;
  std::vector<Counter> counters_;
  // Of the automaton being built.
  Automaton nfa_;
  int32_t counter_ = -1;
  int64_t depth_ = 0;
};

Result<Automaton> determinize(const Automaton& nfa, CompileBudget& budget);

}  // namespace minke::constrain
