#include "constrain/grammar/grammar.h"

#include <algorithm>

namespace minke::constrain {

StateId Grammar::next(StateId s, uint8_t byte) const {
  std::span<const ByteEdge> edges = byte_edges(s);
  auto edge = std::lower_bound(edges.begin(), edges.end(), byte, [](const ByteEdge& e, uint8_t b) { return e.last < b; });
  return edge != edges.end() && edge->first <= byte ? edge->to : -1;
}

// Joins the automata of all units into one numbering of states, drops what leads nowhere, and finds out what matching has to
// know: which rules match nothing at all, and in which order rules call each other at the same place of a text.
class GrammarLinker {
 public:
  GrammarLinker(const AutomatonBuilder& builder, std::vector<Automaton> automata, CompileBudget& budget)
      : units_(builder.units()), counters_(builder.counters()), automata_(std::move(automata)), budget_(budget) {}

  Result<std::shared_ptr<const Grammar>> link() {
    for (const Automaton& automaton : automata_) {
      starts_.push_back(n_states_);
      n_states_ += static_cast<StateId>(automaton.states.size());
    }
    find_live();
    if (!live_[static_cast<size_t>(starts_[0])]) return error("{} matches no text at all", units_[0].name);
    find_nullable();
    TRY(order_calls());
    auto grammar = std::make_shared<Grammar>();
    grammar->counters_ = counters_;
    write(*grammar);
    return grammar;
  }

 private:
  using Kind = AutomatonEdge::Kind;
  static size_t at(int32_t i) { return static_cast<size_t>(i); }

  template <typename F>
  void for_each_edge(F&& f) const {
    for (size_t unit = 0; unit < automata_.size(); unit++) {
      const std::vector<Automaton::State>& states = automata_[unit].states;
      for (size_t s = 0; s < states.size(); s++) {
        for (const AutomatonEdge& edge : states[s].edges)
          f(starts_[unit] + static_cast<StateId>(s), edge, starts_[unit] + edge.to);
      }
    }
  }

  // A state is live when a finite text leads from it to the end of its rule; a call counts once the called rule is known to
  // have such a text. Backwards from the final states.
  void find_live() {
    live_.assign(at(n_states_), false);
    std::vector<std::vector<StateId>> before(at(n_states_));
    std::vector<std::vector<std::pair<StateId, StateId>>> calls(units_.size());
    for_each_edge([&](StateId from, const AutomatonEdge& edge, StateId to) {
      if (edge.kind == Kind::kCall) {
        calls[at(edge.value)].push_back({from, to});
      } else {
        before[at(to)].push_back(from);
      }
    });
    std::vector<StateId> found;
    auto mark = [&](StateId s) {
      if (live_[at(s)]) return;
      live_[at(s)] = true;
      found.push_back(s);
    };
    for (size_t unit = 0; unit < automata_.size(); unit++) {
      for (size_t s = 0; s < automata_[unit].states.size(); s++) {
        if (automata_[unit].states[s].is_final) mark(starts_[unit] + static_cast<StateId>(s));
      }
    }
    std::vector<bool> is_callable(units_.size(), false);
    while (!found.empty()) {
      StateId s = found.back();
      found.pop_back();
      for (StateId from : before[at(s)]) mark(from);
      size_t unit = unit_of(s);
      if (s != starts_[unit] || is_callable[unit]) continue;
      is_callable[unit] = true;
      for (auto [from, to] : calls[unit]) {
        before[at(to)].push_back(from);
        if (live_[at(to)]) mark(from);
      }
    }
  }

  size_t unit_of(StateId s) const {
    return static_cast<size_t>(std::upper_bound(starts_.begin(), starts_.end(), s) - starts_.begin()) - 1;
  }

  bool is_usable(const AutomatonEdge& edge, StateId to) const {
    return live_[at(to)] && (edge.kind != Kind::kCall || live_[at(starts_[at(edge.value)])]);
  }

  // Calls f for every edge that can be taken from the start of a unit before anything is read. Bumps are behind something.
  template <typename F>
  bool reaches_end_unread(size_t unit, F&& on_call) {
    const std::vector<Automaton::State>& states = automata_[unit].states;
    std::vector<int32_t> reached = {0};
    seen_.assign(states.size(), false);
    seen_[0] = true;
    bool ends = false;
    for (size_t i = 0; i < reached.size(); i++) {
      const Automaton::State& state = states[at(reached[i])];
      ends |= state.is_final;
      for (const AutomatonEdge& edge : state.edges) {
        if (!is_usable(edge, starts_[unit] + edge.to)) continue;
        bool passes = edge.kind == Kind::kBody || (edge.kind == Kind::kExit && counters_[at(edge.value)].min == 0);
        if (edge.kind == Kind::kCall) {
          on_call(edge.value);
          passes = nullable_[at(edge.value)];
        }
        if (!passes || seen_[at(edge.to)]) continue;
        seen_[at(edge.to)] = true;
        reached.push_back(edge.to);
      }
    }
    return ends;
  }

  void find_nullable() {
    nullable_.assign(units_.size(), false);
    std::vector<std::vector<int32_t>> callers(units_.size());
    for_each_edge([&](StateId from, const AutomatonEdge& edge, StateId) {
      if (edge.kind == Kind::kCall) callers[at(edge.value)].push_back(static_cast<int32_t>(unit_of(from)));
    });
    std::vector<int32_t> open;
    for (size_t unit = 0; unit < units_.size(); unit++) open.push_back(static_cast<int32_t>(unit));
    while (!open.empty()) {
      size_t unit = at(open.back());
      open.pop_back();
      if (nullable_[unit] || !reaches_end_unread(unit, [](int32_t) {})) continue;
      nullable_[unit] = true;
      open.insert(open.end(), callers[unit].begin(), callers[unit].end());
    }
  }

  // A topological order of the calls made before anything is read; a circle would be a call without end.
  Status order_calls() {
    ranks_.assign(units_.size(), -1);
    std::vector<std::vector<int32_t>> calls(units_.size());
    for (size_t unit = 0; unit < units_.size(); unit++) {
      (void)reaches_end_unread(unit, [&](int32_t callee) { calls[unit].push_back(callee); });
    }
    enum class Mark : uint8_t { kNew, kOpen, kDone };
    std::vector<Mark> marks(units_.size(), Mark::kNew);
    std::vector<std::pair<int32_t, size_t>> path;  // unit, place in its calls
    auto rank = static_cast<int32_t>(units_.size());
    for (size_t first = 0; first < units_.size(); first++) {
      if (marks[first] != Mark::kNew) continue;
      path.push_back({static_cast<int32_t>(first), 0});
      marks[first] = Mark::kOpen;
      while (!path.empty()) {
        auto& [unit, place] = path.back();
        if (place == calls[at(unit)].size()) {
          marks[at(unit)] = Mark::kDone;
          ranks_[at(unit)] = --rank;
          path.pop_back();
          continue;
        }
        int32_t callee = calls[at(unit)][place++];
        if (marks[at(callee)] == Mark::kOpen) {
          return error("{} begins with itself: something must be read before a rule comes again", units_[at(callee)].name);
        }
        if (marks[at(callee)] == Mark::kNew) {
          marks[at(callee)] = Mark::kOpen;
          path.push_back({callee, 0});
        }
      }
    }
    return budget_.add_work(n_states_);
  }

  void write(Grammar& grammar) {
    grammar.states_.resize(at(kFirstState));  // the reserved ones have no edges
    for (size_t unit = 0; unit < automata_.size(); unit++) {
      grammar.rules_.push_back(
          {units_[unit].name, starts_[unit] + kFirstState, static_cast<bool>(nullable_[unit]), ranks_[unit]});
      for (const Automaton::State& state : automata_[unit].states) {
        begin_state(grammar, state);
        for (const AutomatonEdge& edge : state.edges) {
          if (is_usable(edge, starts_[unit] + edge.to)) write_edge(grammar, unit, edge);
        }
      }
    }
    begin_state(grammar, {});
  }

  static void begin_state(Grammar& grammar, const Automaton::State& state) {
    grammar.states_.push_back({static_cast<uint32_t>(grammar.byte_edges_.size()),
                               static_cast<uint32_t>(grammar.token_edges_.size()),
                               static_cast<uint32_t>(grammar.call_edges_.size()),
                               static_cast<uint32_t>(grammar.count_edges_.size()), state.counter, state.is_final});
  }

  void write_edge(Grammar& grammar, size_t unit, const AutomatonEdge& edge) {
    StateId to = starts_[unit] + kFirstState + edge.to;
    switch (edge.kind) {
      case Kind::kByte:
        grammar.byte_edges_.push_back({edge.first, edge.last, to});
        break;
      case Kind::kToken:
        grammar.token_edges_.push_back({edge.value, to});
        break;
      case Kind::kCall: {
        const Automaton::State& target = automata_[unit].states[at(edge.to)];
        grammar.call_edges_.push_back({edge.value, to, target.is_final && target.edges.empty()});
        break;
      }
      case Kind::kBody:
        grammar.count_edges_.push_back({CountEdge::Kind::kBody, edge.value, to});
        break;
      case Kind::kExit:
        grammar.count_edges_.push_back({CountEdge::Kind::kExit, edge.value, to});
        break;
      case Kind::kBump:
        grammar.count_edges_.push_back({CountEdge::Kind::kBump, edge.value, to});
        break;
      case Kind::kEpsilon:
        break;  // determinize() leaves none
    }
  }

  const std::vector<Unit>& units_;
  const std::vector<Counter>& counters_;
  std::vector<Automaton> automata_;
  CompileBudget& budget_;
  std::vector<StateId> starts_;  // by unit
  StateId n_states_ = 0;
  std::vector<bool> live_;      // by state
  std::vector<bool> nullable_;  // by unit
  std::vector<int32_t> ranks_;  // by unit
  std::vector<bool> seen_;
};

Result<std::shared_ptr<const Grammar>> Grammar::compile(const Expressions& expressions, RuleId root,
                                                        const GrammarLimits& limits) {
  CompileBudget budget(limits);
  AutomatonBuilder builder(expressions, budget);
  builder.unit_of_rule(root);
  std::vector<Automaton> automata;
  for (size_t unit = 0; unit < builder.units().size(); unit++) {
    auto automaton = builder.build(static_cast<int32_t>(unit));
    if (!automaton) return in_context(builder.units()[unit].name, automaton.error());
    automata.push_back(std::move(*automaton));
  }
  return GrammarLinker(builder, std::move(automata), budget).link();
}

}  // namespace minke::constrain
