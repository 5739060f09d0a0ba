// Text from formats: '%s %d' % values and '{} {name}'.format(values). Of the latter only plain fields: a field that reaches
// into its value ({0.x}, {0[x]}) was a way out of sandboxes and is refused.
#pragma once

#include "jinja/value/native.h"

namespace minke::jinja {

Result<Value> format_percent(Runtime& runtime, const Value& format, const Value& values);
Result<Value> format_braces(Runtime& runtime, const Value& format, const CallArguments& values);

}  // namespace minke::jinja
