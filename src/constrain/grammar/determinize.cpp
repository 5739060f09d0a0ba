// The subset construction. Bytes are grouped by the borders of all ranges of the automaton, so a state costs its edges times
// the groups that they cover.
#include <algorithm>
#include <array>
#include <tuple>
#include <unordered_map>

#include "constrain/grammar/automaton.h"

namespace minke::constrain {
namespace {

using Kind = AutomatonEdge::Kind;

struct SetHash {
  size_t operator()(const std::vector<int32_t>& set) const {
    uint64_t hash = set.size();
    for (int32_t value : set) hash = (hash ^ static_cast<uint64_t>(value)) * 0x9E3779B97F4A7C15u + (hash >> 29);
    return static_cast<size_t>(hash);
  }
};

class SubsetConstruction {
 public:
  SubsetConstruction(const Automaton& nfa, CompileBudget& budget) : nfa_(nfa), budget_(budget), stamps_(nfa.states.size(), 0) {
    find_groups();
  }

  Result<Automaton> run() {
    TRY(state_of({0}));
    for (size_t i = 0; i < sets_.size(); i++) TRY(expand(i));
    return std::move(dfa_);
  }

 private:
  void find_groups() {
    std::array<bool, 257> starts{};
    starts[0] = true;
    for (const Automaton::State& state : nfa_.states) {
      for (const AutomatonEdge& edge : state.edges) {
        if (edge.kind != Kind::kByte) continue;
        starts[edge.first] = true;
        starts[size_t{edge.last} + 1] = true;
      }
    }
    for (size_t byte = 0; byte < 256; byte++) {
      if (starts[byte]) group_first_.push_back(static_cast<uint8_t>(byte));
      group_of_[byte] = static_cast<uint16_t>(group_first_.size() - 1);
    }
    targets_.resize(group_first_.size());
  }

  // The states that empty edges reach from `states`, sorted.
  Status close(std::vector<int32_t>& states) {
    stamp_++;
    size_t n = 0;
    for (int32_t state : states) {
      if (stamps_[static_cast<size_t>(state)] == stamp_) continue;
      stamps_[static_cast<size_t>(state)] = stamp_;
      states[n++] = state;
    }
    states.resize(n);
    for (size_t i = 0; i < states.size(); i++) {
      for (const AutomatonEdge& edge : nfa_.states[static_cast<size_t>(states[i])].edges) {
        if (edge.kind != Kind::kEpsilon || stamps_[static_cast<size_t>(edge.to)] == stamp_) continue;
        stamps_[static_cast<size_t>(edge.to)] = stamp_;
        states.push_back(edge.to);
      }
    }
    TRY(budget_.add_work(static_cast<int64_t>(states.size())));
    std::sort(states.begin(), states.end());
    return {};
  }

  Result<int32_t> state_of(std::vector<int32_t> set) {
    TRY(close(set));
    auto [it, is_new] = ids_.try_emplace(std::move(set), static_cast<int32_t>(sets_.size()));
    if (!is_new) return it->second;
    TRY(budget_.add_states(1));
    sets_.push_back(&it->first);
    Automaton::State state;
    // Nothing but counting edges lead into a counted repeat and out of it, so the members stand in the same one.
    for (int32_t member : it->first) {
      const Automaton::State& source = nfa_.states[static_cast<size_t>(member)];
      state.is_final |= source.is_final;
      state.counter = std::max(state.counter, source.counter);
    }
    dfa_.states.push_back(std::move(state));
    return it->second;
  }

  Status expand(size_t index) {
    struct Other {
      Kind kind;
      int32_t value;
      int32_t to;
    };
    std::vector<Other> others;
    used_.clear();
    for (int32_t member : *sets_[index]) {
      for (const AutomatonEdge& edge : nfa_.states[static_cast<size_t>(member)].edges) {
        if (edge.kind == Kind::kEpsilon) continue;
        if (edge.kind != Kind::kByte) {
          others.push_back({edge.kind, edge.value, edge.to});
          continue;
        }
        TRY(budget_.add_work(1 + group_of_[edge.last] - group_of_[edge.first]));
        for (size_t group = group_of_[edge.first]; group <= group_of_[edge.last]; group++) {
          if (targets_[group].empty()) used_.push_back(group);
          targets_[group].push_back(edge.to);
        }
      }
    }
    TRY(add_byte_edges(index));
    std::sort(others.begin(), others.end(),
              [](const Other& a, const Other& b) { return std::tie(a.kind, a.value, a.to) < std::tie(b.kind, b.value, b.to); });
    for (size_t i = 0; i < others.size();) {
      std::vector<int32_t> set;
      AutomatonEdge edge{.kind = others[i].kind, .value = others[i].value};
      for (; i < others.size() && others[i].kind == edge.kind && others[i].value == edge.value; i++)
        set.push_back(others[i].to);
      edge.to = TRY(state_of(std::move(set)));
      dfa_.states[index].edges.push_back(edge);
    }
    return {};
  }

  Status add_byte_edges(size_t index) {
    std::sort(used_.begin(), used_.end());
    for (size_t group : used_) {
      int32_t to = TRY(state_of(targets_[group]));
      targets_[group].clear();
      size_t end = group + 1 < group_first_.size() ? group_first_[group + 1] : 256;
      AutomatonEdge edge{.kind = Kind::kByte, .first = group_first_[group], .last = static_cast<uint8_t>(end - 1), .to = to};
      std::vector<AutomatonEdge>& edges = dfa_.states[index].edges;
      bool extends = !edges.empty() && edges.back().to == to && edges.back().last + 1 == edge.first;
      if (extends) {
        edges.back().last = edge.last;
      } else {
        edges.push_back(edge);
      }
    }
    return {};
  }

  const Automaton& nfa_;
  CompileBudget& budget_;
  Automaton dfa_;
  std::unordered_map<std::vector<int32_t>, int32_t, SetHash> ids_;
  std::vector<const std::vector<int32_t>*> sets_;  // by state of dfa_; keys of ids_ stay where they are
  std::vector<uint32_t> stamps_;
  uint32_t stamp_ = 0;
  std::array<uint16_t, 256> group_of_{};
  std::vector<uint8_t> group_first_;
  std::vector<std::vector<int32_t>> targets_;  // by group, of the state being expanded
  std::vector<size_t> used_;
};

}  // namespace

Result<Automaton> determinize(const Automaton& nfa, CompileBudget& budget) { return SubsetConstruction(nfa, budget).run(); }

}  // namespace minke::constrain
