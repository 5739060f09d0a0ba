// A compiled grammar: a pushdown automaton over bytes and control tokens. Every rule is an automaton whose edges may call
// rules; a call remembers the state to go on in. From every state an end can be reached, so no matcher runs into a dead end.
// Immutable; shared between requests and threads.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "constrain/grammar/automaton.h"
#include "constrain/grammar/expressions.h"

namespace minke::constrain {

using StateId = int32_t;

// States that no rule has: the text may end here, the part of a text that is looked at alone ends here, the text has ended.
constexpr StateId kEndState = 0, kBottomState = 1, kDoneState = 2;
constexpr StateId kFirstState = 3;

struct ByteEdge {
  uint8_t first, last;
  StateId to;
};

struct TokenEdge {
  TokenId token;
  StateId to;
};

struct CallEdge {
  int32_t rule;
  StateId to;
  bool is_tail;  // nothing follows in the calling rule, so the call need not come back to it
};

struct CountEdge {
  enum class Kind : uint8_t { kBody, kExit, kBump };
  Kind kind;  // another round if there may be one; no more if there were enough; a round is done
  int32_t counter;
  StateId to;
};

class Grammar {
 public:
  // Errors: too large, nothing matches, or a rule that calls itself before it reads anything; they name the rule.
  static Result<std::shared_ptr<const Grammar>> compile(const Expressions& expressions, RuleId root,
                                                        const GrammarLimits& limits = {});

  struct Rule {
    std::string name;
    StateId start = 0;
    bool is_nullable = false;
    int32_t rank = 0;  // larger than that of every rule that calls this one before reading anything
  };

  const Rule& root() const { return rules_[0]; }
  const Rule& rule(int32_t id) const { return rules_[static_cast<size_t>(id)]; }
  StateId n_states() const { return static_cast<StateId>(states_.size()) - 1; }

  bool is_final(StateId s) const { return states_[at(s)].is_final; }
  int32_t counter_of(StateId s) const { return states_[at(s)].counter; }
  const Counter& counter(int32_t id) const { return counters_[static_cast<size_t>(id)]; }
  std::span<const ByteEdge> byte_edges(StateId s) const { return part(byte_edges_, s, &State::first_byte_edge); }
  std::span<const TokenEdge> token_edges(StateId s) const { return part(token_edges_, s, &State::first_token_edge); }
  std::span<const CallEdge> call_edges(StateId s) const { return part(call_edges_, s, &State::first_call_edge); }
  std::span<const CountEdge> count_edges(StateId s) const { return part(count_edges_, s, &State::first_count_edge); }
  // Whether a frame can wait in the state for a byte or a token.
  bool reads(StateId s) const { return s < kFirstState || !byte_edges(s).empty() || !token_edges(s).empty(); }
  // The state behind a byte, -1: none.
  StateId next(StateId s, uint8_t byte) const;

 private:
  friend class GrammarLinker;
  struct State {
    uint32_t first_byte_edge = 0, first_token_edge = 0, first_call_edge = 0, first_count_edge = 0;
    int32_t counter = -1;
    bool is_final = false;
  };
  static size_t at(StateId s) { return static_cast<size_t>(s); }
  template <typename Edge>
  std::span<const Edge> part(const std::vector<Edge>& edges, StateId s, uint32_t State::*first) const {
    uint32_t begin = states_[at(s)].*first;
    return std::span(edges).subspan(begin, states_[at(s) + 1].*first - begin);
  }

  std::vector<State> states_;  // and one more that ends the edges of the last
  std::vector<ByteEdge> byte_edges_;
  std::vector<TokenEdge> token_edges_;
  std::vector<CallEdge> call_edges_;
  std::vector<CountEdge> count_edges_;
  std::vector<Counter> counters_;
  std::vector<Rule> rules_;  // the root first
};

}  // namespace minke::constrain
