// Regular expressions as expressions: the regular part of ECMA-262's syntax. What needs memory (back references, look-around,
// \b) and Unicode properties are refused. Source: ECMA-262, section 22.2.
#pragma once

#include <functional>
#include <string_view>

#include "base/error.h"
#include "constrain/grammar/automaton.h"
#include "constrain/grammar/expressions.h"

namespace minke::constrain {

struct RegexOptions {
  enum class Match { kWhole, kSearch };  // the whole text, or (JSON schema's "pattern") some part of it
  Match match = Match::kWhole;
  // How a set of characters is written in the text; none: as UTF-8.
  std::function<NodeId(Expressions&, const CodePointSet&)> spell = {};
  GrammarLimits limits = {};
};

// `where` names the pattern in errors, which tell the position in bytes.
Result<NodeId> parse_regex(Expressions& expressions, std::string_view pattern, std::string_view where,
                           const RegexOptions& options = {});

}  // namespace minke::constrain
