// Oniguruma (Ruby) regular expressions, the language of tokenizer.json, rewritten for PCRE2 where the two differ: \s and \w,
// ^ and $, (?m), intervals followed by +, class intersections, scripts, groups. Source: Oniguruma doc/RE, pcre2pattern(3).
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace minke {

// Every construct whose meaning is not known to be kept is an error that names it. The result has no capture groups and is
// meant for PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE.
Result<std::string> pcre2_from_oniguruma(std::string_view pattern);

}  // namespace minke
