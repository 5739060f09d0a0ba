// The tests of the template language: {% if value is name(arguments) %}.
#pragma once

#include <string_view>

#include "jinja/value/native.h"

namespace minke::jinja {

// Null when there is no such test. The value it returns is a bool.
const FunctionRow* find_test(std::string_view name);

}  // namespace minke::jinja
