// Names from files in messages: quoted, on one line, of bounded length, without control bytes that a terminal would obey.
#pragma once

#include <string>
#include <string_view>

namespace minke {

std::string quote_name(std::string_view name);

}  // namespace minke
