// The definition of what a grammar matches: it walks the expressions themselves, byte by byte, with every way to read the text
// as a stack of its own. Shares nothing with the automata but the expressions; slow.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "constrain/grammar/expressions.h"

namespace minke::constrain::testing {

class ReferenceMatcher {
 public:
  ReferenceMatcher(const Expressions& expressions, RuleId root);
  // What is left after the text: empty when it cannot go on.
  bool accept_byte(uint8_t byte);
  bool accept_token(TokenId token);
  bool accept(std::string_view bytes) {
    for (char c : bytes) {
      if (!accept_byte(static_cast<uint8_t>(c))) return false;
    }
    return true;
  }
  bool is_complete() const { return stacks_.contains(Stack{}); }
  bool is_dead() const { return stacks_.empty(); }

 private:
  struct Item {
    enum class Kind { kNode, kRest, kRounds, kGraph, kChar } kind;
    int32_t id;         // node
    int64_t place = 0;  // byte of a literal, rounds done, state of a graph
    std::string bytes;  // kChar: of the character so far
    auto operator<=>(const Item&) const = default;
  };
  using Stack = std::vector<Item>;  // the next thing to match is the last

  void expand(Stack stack, std::set<Stack>& seen, std::set<Stack>& out) const;
  void expand_node(const Item& item, const Stack& rest, std::set<Stack>& seen, std::set<Stack>& out) const;

  void find_live(NodeId id);
  bool is_live(const Item& item) const;

  const Expressions& expressions_;
  std::shared_ptr<std::set<std::pair<int32_t, int64_t>>> live_;  // what can still come to an end; shared by copies
  std::set<Stack> stacks_;
};

// Whether `bytes` begin the UTF-8 of a code point of the set (is_whole: are all of it).
enum class CharMatch { kNo, kPart, kWhole };
CharMatch match_char(const CodePointSet& set, std::string_view bytes);

}  // namespace minke::constrain::testing
