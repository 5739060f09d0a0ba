// The functions every template can call: range, dict, namespace, raise_exception, strftime_now.
#pragma once

#include <ctime>
#include <string>
#include <string_view>

#include "jinja/value/native.h"

namespace minke::jinja {

// Null when there is no such function.
const FunctionRow* find_function(std::string_view name);

// datetime.strftime() of Python in the C locale, for a time without a zone.
Result<std::string> format_time(const std::tm& time, std::string_view format);

}  // namespace minke::jinja
