// JSON as text (RFC 8259): the parts that all JSON grammars have in common, each written once per grammar.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "base/json.h"
#include "constrain/grammar/expressions.h"

namespace minke::constrain {

// White space between the parts of a value: as usual (none, a space, or a new line and its indentation), or none at all.
// It is bounded, as a model can get lost in endless white space.
enum class JsonSpace { kUsual, kNone };

class JsonText {
 public:
  explicit JsonText(Expressions& expressions, JsonSpace space = JsonSpace::kUsual);

  Expressions& expressions() { return expressions_; }
  NodeId space() const { return space_; }
  // One character of the set inside a string, each written in one way only: as it is where JSON allows, else the short escape
  // (\n), else \u00xx.
  NodeId chars(const CodePointSet& set);
  // A string of min .. max characters, in any way to write them.
  NodeId string(int64_t min = 0, int64_t max = kUnbounded);
  // Integers of up to 18 digits and numbers of up to 15 before and after the point: readers keep them, and no run of digits
  // goes on for ever.
  NodeId integer();
  NodeId number();
  NodeId value();
  NodeId object();
  NodeId array();
  // "{" members "}" and "[" items "]" with white space.
  NodeId in_braces(NodeId members);
  NodeId in_brackets(NodeId items);
  // "," and what comes after it.
  NodeId comma_then(NodeId next);
  // "key": value, the key as one string.
  NodeId member(const std::string& key, NodeId value);

 private:
  NodeId regex_rule(const char* name, const char* pattern);

  Expressions& expressions_;
  NodeId space_;
  std::map<std::pair<int64_t, int64_t>, NodeId> strings_;
  NodeId any_char_ = -1, integer_ = -1, number_ = -1, value_ = -1, object_ = -1, array_ = -1;
};

}  // namespace minke::constrain
