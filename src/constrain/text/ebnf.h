// Grammars written as EBNF, close to llama.cpp's GBNF:
//   root  ::= "yes" | "no" (", " reason)?     # the text must match `root`
//   reason ::= [a-z ]{3,80} | "\"" [^"\x0A]* "\""
// Literals, classes and `.` (any character), groups, alternatives, and * + ? {m} {m,} {m,n}. Escapes in literals and classes
// are those of regular expressions. A rule ends where the next one's "name ::=" begins.
#pragma once

#include <memory>
#include <string_view>

#include "base/error.h"
#include "constrain/grammar/grammar.h"

namespace minke::constrain {

// Writes the rules into `expressions` and returns `root`.
Result<RuleId> parse_ebnf(Expressions& expressions, std::string_view source, std::string_view where,
                          const GrammarLimits& limits = {});

}  // namespace minke::constrain
