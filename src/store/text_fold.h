// Texts as search sees them: NFC, no case. 한글 typed as letters (macOS) and as syllables is the same, so are É and é.
#pragma once

#include <string>
#include <string_view>

namespace minke::store {

// Invalid UTF-8 comes back as it is, but for ASCII capitals.
std::string fold_text(std::string_view text);

// Some 40 characters before and after the first place in `text` where `folded_word` is, on one line; the beginning of the text
// when it is not there.
std::string snippet_around(std::string_view text, std::string_view folded_word);

}  // namespace minke::store
