// JSON schema's "format" for strings, as regular expressions: those that OpenAI's strict mode knows.
#pragma once

#include <string>
#include <string_view>

namespace minke::constrain {

// Empty for an unknown format. Some are narrower than their standard, never wider: seconds have at most nine digits after the
// point and leap seconds do not occur, host names have at most four labels of at most 32 characters.
std::string format_pattern(std::string_view name);
// "date-time, time, ...", for messages.
std::string format_names();

}  // namespace minke::constrain
