// Text inside HTML and XML.
#pragma once

#include <string>
#include <string_view>

namespace minke {

// &, <, >, " and ' as references (the two quotes by number, as Python's markupsafe writes them). Control characters stay.
std::string escape_markup(std::string_view text);

}  // namespace minke
