// Keeps a text to the scripts of a language, as a grammar: byte-exact, so tokens that end inside of a character are right too.
// Letters of other scripts are out; digits, punctuation, symbols and marks of all scripts are in, and so are the Latin and
// Greek letters of formulas and code. Scripts: Unicode's Scripts.txt, blocks of the scripts below; letters: its general
// categories.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "constrain/grammar/grammar.h"

namespace minke::constrain {

// Languages by their ISO 639-1 codes, separated by commas: "ko", "ko,en". The characters that a text in them may have.
Result<CodePointSet> language_characters(std::string_view languages);
// The codes that are known, for messages.
std::string language_codes();

Result<RuleId> language_text(Expressions& expressions, std::string_view languages);
Result<std::shared_ptr<const Grammar>> compile_language_lock(std::string_view languages);

}  // namespace minke::constrain
